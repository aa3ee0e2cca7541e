"""Hostile values on their way to a real server: all of a session is stored, and nothing is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import losswise
from losswise.cli import main
from tests.client.conftest import record_offline
from tests.client.values.doors import DOORS
from tests.client.values.hostile_leaves import LEAVES
from tests.support.server import Server

LEFT_OUT = ("endless mapping", "40 MB of texts")
"""As metrics these are a hundred thousand graphs and names, and a thousand warnings."""


@pytest.mark.full
def test_all_values_through_all_doors_are_stored(
    server: Server, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LW_BASE_URL", server.url)
    monkeypatch.setenv("LW_API_KEY", server.api_key)
    values = {name: make() for name, make in LEAVES.items() if name not in LEFT_OUT}
    with losswise.Session("hostile", track_git=False, console=False, params={**values, "good": 1}) as session:
        for door, way in DOORS.items():
            if not door.startswith(("Session", "done")):
                for value in values.values():
                    way.use(lambda **options: session, value)
        session.graph("last").append(0, {"last": 1.0})
    found = server.session(session.id)
    assert (found["tag"], found["status"], found["dropped"]) == ("hostile", "complete", 0)
    assert values.keys() <= found["params"].keys()
    assert (found["params"]["good"], found["params"]["late"]) == (1, 2)
    assert found["params"]["config of OmegaConf"]["bad"] == "<InterpolationKeyError>"
    assert found["params"]["int of 5,000 digits"] == "<int of 16610 bits>"
    assert found["values"]["also good"] == 2
    [graph] = [graph for graph in found["graphs"] if graph["title"] == "last"]
    assert server.points(graph["id"])["last"]["y"] == [1.0]
    [graph] = [graph for graph in found["graphs"] if graph["title"] == "loss"]
    assert set(server.points(graph["id"])["good"]["y"]) >= {0.0, 1.0, 2.0, 3.0}
    assert len(found["images"]) >= 5 * len(values)
    assert list(journals.iterdir()) == []
    assert "reject" not in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["error", "reason"])
def test_an_ending_that_cannot_be_read_is_an_ending(server: Server, journals: Path, ending: str) -> None:
    for name in ("repr raises", "int of 5,000 digits", "lone surrogate and NUL", "wide", "config of OmegaConf"):
        session = losswise.Session(track_git=False, console=False, base_url=server.url, api_key=server.api_key)
        session.done("failed", **{ending: LEAVES[name]()})
        assert server.session(session.id)["status"] == "failed"


def test_sync_sends_a_run_with_hostile_params_and_the_good_one_behind_it(
    server: Server, journals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = record_offline(monkeypatch, params={name: make() for name, make in LEAVES.items()}, tags=["a"])
    good = record_offline(monkeypatch, params={"rate": 0.1})
    monkeypatch.setenv("LW_BASE_URL", server.url)
    monkeypatch.setenv("LW_API_KEY", server.api_key)
    assert main(["sync"]) == 0
    for session in (hostile, good):
        found = server.session(session.id)
        assert (found["tag"], found["status"], found["points"]) == ("offline", "complete", 100)
    assert LEAVES.keys() <= server.session(hostile.id)["params"].keys()
    assert list(journals.iterdir()) == []
