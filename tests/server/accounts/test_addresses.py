"""Stored addresses are kept as long as somebody uses them, and are not piled up without bound."""

from __future__ import annotations

import pytest
from flask import Flask
from losswise_server.accounts import addresses
from losswise_server.accounts.addresses import KEPT_S, forget_addresses, open_address, store_address
from losswise_server.db.engine import reading, writing
from losswise_server.db.view_models import StoredAddress
from sqlalchemy import func, select

NOW = 2e9
DAY_S = 24 * 3_600.0


def store(search: str, at: float, project: int = 1) -> str:
    with writing() as connection:
        return store_address(connection, project, search, at)


def count(project: int) -> int:
    with reading() as connection:
        query = select(func.count()).select_from(StoredAddress).where(StoredAddress.project_id == project)
        return connection.execute(query).scalar_one()


def test_an_address_is_kept_for_a_year_after_its_last_use(app: Flask) -> None:
    unused, used = store("?q=unused", NOW), store("?q=used", NOW)
    assert open_address(1, used, NOW + 200 * DAY_S) == "?q=used"
    assert open_address(2, used, NOW) is None, "of another project"
    assert forget_addresses(NOW + KEPT_S - 1) == 0
    assert forget_addresses(NOW + KEPT_S + 1) == 1
    assert open_address(1, unused, NOW) is None
    assert open_address(1, used, NOW + KEPT_S + 1) == "?q=used"
    assert forget_addresses(NOW + 2 * KEPT_S) == 0


def test_those_used_last_are_kept_of_too_many(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "MAX_STORED", 3)
    ids = [store(f"?q={number}", NOW + number, project=3) for number in range(6)]
    other = store("?q=0", NOW, project=4)
    assert ids[0] == other, "the same text has the same id"
    open_address(3, ids[0], NOW + 2 * DAY_S)
    assert forget_addresses(NOW) == 3
    assert (count(3), count(4)) == (3, 1)
    assert [open_address(3, id_, NOW) is not None for id_ in ids] == [True, False, False, False, True, True]


def test_those_used_last_are_kept_of_too_many_bytes(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, not when somebody looks after it: a reader could fill the disk meanwhile."""
    monkeypatch.setattr(addresses, "MAX_BYTES", 1_000)

    def size(project: int) -> int:
        with reading() as connection:
            query = select(func.sum(func.length(StoredAddress.search))).where(StoredAddress.project_id == project)
            return connection.execute(query).scalar_one()

    texts = ["?q=" + chr(97 + number) * 297 for number in range(6)]
    other = store("?q=of another project" + "x" * 900, NOW, project=6)
    ids = []
    for number, text in enumerate(texts):
        ids.append(store(text, NOW + number, project=5))
        assert size(5) <= 1_000
        store(texts[0], NOW + number + 0.5, project=5)  # in use
    assert [open_address(5, id_, NOW) is not None for id_ in ids] == [True, False, False, False, True, True]
    assert open_address(6, other, NOW) is not None
    assert forget_addresses(NOW) == 0
    monkeypatch.setattr(addresses, "MAX_BYTES", 700)
    assert forget_addresses(NOW) == 1 + 1, "the bound has become lower: one of each project"
