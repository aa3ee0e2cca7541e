"""Query strings as declared types."""

from __future__ import annotations

from typing import Annotated

import msgspec
import pytest
from flask import Flask
from losswise_server.api.requests import UtcOffset, read_query
from losswise_server.exceptions import ApiError


class Asked(msgspec.Struct):
    title: str
    q: str = ""
    place: str = msgspec.field(default="current", name="in")
    by: list[str] = []
    limit: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 100
    x0: int | None = None
    utc_offset: UtcOffset = 0


def read(query: str) -> Asked:
    with Flask(__name__).test_request_context(f"/?{query}"):
        return read_query(Asked)


def test_texts_become_what_is_declared() -> None:
    assert read("title=loss") == Asked("loss")
    found = read("title=&q=a%00b&in=bin&by=a&by=b&limit=20&x0=-5&utc_offset=-3600&colour=red")
    assert found == Asked("", "a\ufffdb", "bin", ["a", "b"], 20, -5, -3_600)
    assert read("title=a&title=b&limit=&x0=&by=") == Asked("a", by=[""])
    assert read("title=a&limit=99999").limit == 1_000


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "'title' is missing"),
        ("title=a&limit=x", "'limit' must be a whole number, at least 1, not 'x'"),
        ("title=a&limit=0", "'limit' must be a whole number, at least 1, not '0'"),
        ("title=a&x0=1.5", "'x0' must be a whole number, not '1.5'"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(query: str, message: str) -> None:
    with pytest.raises(ApiError) as refused:
        read(query)
    assert (refused.value.status, refused.value.message) == (400, message)
