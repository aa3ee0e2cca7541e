"""GET /api/v2/series/groups: mean and spread over sessions agree with NumPy on the raw points."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from losswise_server.db.engine import reading
from losswise_server.db.models import Session
from losswise_server.points import group_series, store
from losswise_server.points.group_series import Member, MemberGraph
from losswise_server.points.summaries import SummaryState
from losswise_server.sessions import group_members
from sqlalchemy import select

from losswise.protocol import records
from tests.server.points.expected import INT64_MAX, Model, Point, set_small_limits
from tests.server.points.histories import HISTORIES, Batch, Rewind, apply, histories, send
from tests.support.application import DirectWriting
from tests.support.batches import Writing
from tests.support.editing import add_key, edit
from tests.support.server import Server

GROUPS = "/api/v2/series/groups"
COLUMNS = {"x", "n", "mean", "sd", "min", "max", "nan", "inf"}


def compare(found: dict[str, Any], models: list[Model], x0: int | None, x1: int | None, width: int) -> None:
    """Compare a response with the points of its sessions."""
    low, high = -(2**63) if x0 is None else x0, INT64_MAX if x1 is None else x1
    inside = [point.x for model in models for point in model.points if low <= point.x <= high]
    if not inside:
        assert found["series"] == {}
        return
    size = found["size"]
    first, last = min(inside) // size, max(inside) // size
    assert last - first < width
    names = {name for model in models for point in model.points for name in point.y if first <= point.x // size <= last}
    assert set(found["series"]) == names
    for name, columns in found["series"].items():
        assert set(columns) == COLUMNS
        bins: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
        for model in models:
            x, _, y = model.column(name)
            numbers = np.array([int(step) // size for step in x])
            for number in sorted(set(numbers.tolist())):
                if first <= number <= last:
                    bins.setdefault(number, []).append((x[numbers == number], y[numbers == number]))
        assert columns["x"] == [min(int(x[0]) for x, _ in bins[number]) for number in sorted(bins)]
        for place, number in enumerate(sorted(bins)):
            check_bin({key: column[place] for key, column in columns.items()}, [y for _, y in bins[number]])


def check_bin(found: dict[str, Any], values: list[np.ndarray]) -> None:
    """Compare one bin with the values of each session in it."""
    whole = np.concatenate(values)
    assert (found["nan"], found["inf"]) == (np.isnan(whole).sum(), np.isinf(whole).sum())
    finite = [part[np.isfinite(part)] for part in values]
    finite = [part for part in finite if len(part)]
    assert found["n"] == len(finite)
    if not finite or np.abs(np.concatenate(finite)).max() > 1e150:  # a sum of squares may overflow
        return
    means = np.array([part.mean() for part in finite])
    near = 1e-9 * max(np.abs(part).max() for part in finite)
    for name, expected in (("mean", means.mean()), ("min", means.min()), ("max", means.max())):
        assert math.isclose(found[name], expected, rel_tol=1e-9, abs_tol=near), name
    if len(means) > 1:
        assert math.isclose(found["sd"], means.std(ddof=1), rel_tol=1e-6, abs_tol=near)
    else:
        assert found["sd"] is None or math.isnan(found["sd"])


# any points, in this process


def check_group(group: list[list[Batch | Rewind]], windows: list[tuple[int, int]], width: int = 10) -> None:
    """A group of sessions with these histories, with small limits."""
    with pytest.MonkeyPatch.context() as patch:
        set_small_limits(patch)
        runs, models = [DirectWriting() for _ in group], [Model() for _ in group]
        for run, model, history in zip(runs, models, group, strict=True):
            graph = run.graph()
            for step in history:
                send(run, graph, step)
                apply(model, step)
        with reading(in_order=True) as connection:
            members: list[Member] = []
            for run in runs:
                row = connection.execute(select(Session.__table__).where(Session.id == run.session)).one()
                state = SummaryState.load(row.summary_states.get("1"))
                members.append([MemberGraph(store.graph_ref(connection, row.key, 1), state, row.points)])
            known = sorted({point.x for model in models for point in model.points}) or [0]
            starts = [(known[at % len(known)], length) for at, length in windows]
            for most in (group_series.MAX_POINTS, 0):
                patch.setattr(group_series, "MAX_POINTS", most)
                for x0, x1 in [(None, None), *((start, min(start + length, INT64_MAX)) for start, length in starts)]:
                    found = group_series.group_series(members, x0, x1, width)
                    assert found["used"] == len(group)
                    compare(found, models, x0, x1, width)


@pytest.mark.parametrize("name", HISTORIES)
def test_known_histories(app: None, name: str) -> None:
    names = list(HISTORIES)
    others = [names[(names.index(name) + by) % len(names)] for by in (1, 4)]
    check_group([HISTORIES[one] for one in (name, *others)], [(0, 40), (50, 300), (100, 4_000)])


def any_group(examples: int) -> Callable[[Any], Any]:
    """A property of so many groups of sessions, each with some windows."""
    windows = st.lists(st.tuples(st.integers(-30, 130), st.integers(1, 4_000)), max_size=2)
    group = st.lists(histories(), min_size=1, max_size=4)
    checks = [HealthCheck.too_slow]

    def decorate(test: Any) -> Any:
        return settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=checks)(
            given(group=group, windows=windows)(test)
        )

    return decorate


@any_group(6)
@pytest.mark.full_on_postgresql
def test_any_group(app: None, group: list[list[Batch | Rewind]], windows: list[tuple[int, int]]) -> None:
    check_group(group, windows)


@pytest.mark.full
@any_group(150)
def test_many_groups(app: None, group: list[list[Batch | Rewind]], windows: list[tuple[int, int]]) -> None:
    check_group(group, windows)


# over HTTP


def make_group(server: Server, name: str, lengths: list[int], **fields: Any) -> tuple[list[Writing], list[Model]]:
    """Sessions of a project of this name with curves of these lengths, each with a NaN or an infinity in it."""
    noise = np.random.default_rng(1)
    runs, models = [], []
    for number, length in enumerate(lengths):
        run = Writing(server, project=name, tag=f"{name} {number}", params={"seed": number, "lr": 0.1}, **fields)
        values: list[Any] = (np.exp(-np.arange(length) / 1000) + noise.normal(0, 0.1, length)).tolist()
        values[length // 2] = ("NaN", "Infinity")[number % 2]
        graph = run.graph()
        for start in range(0, length, 3_000):
            part = values[start : start + 3_000]
            run.points(graph, list(range(start, start + len(part))), loss=part)
        runs.append(run)
        models.append(Model())
        models[-1].points += [Point(x, 0.0, {"loss": float(value)}) for x, value in enumerate(values)]
    return runs, models


def test_exact_and_summarized_widths(server: Server) -> None:
    _, models = make_group(server, "lengths", [20_000, 17_500, 400, 3])
    for width, size in ((2_000, 16), (500, 64), (100, 256), (10, 2_048)):
        found = server.get(GROUPS, project="lengths", q="lr=0.1", title="loss", width=width)
        assert (found["size"], found["sessions"], found["used"], found["active"]) == (size, 4, 4, 4)
        compare(found, models, None, None, width)
    for x0, x1, size in ((390, 410, 1), (1_001, 1_777, 8), (5_003, 19_000, 256)):
        found = server.get(GROUPS, project="lengths", title="loss", width=100, x0=x0, x1=x1)
        assert found["size"] == size
        compare(found, models, x0, x1, 100)
    assert server.get(GROUPS, project="lengths", title="loss", x0=30_000)["series"] == {}
    assert server.get(GROUPS, project="lengths", title="no such")["series"] == {}


def test_a_session_counts_once_in_each_bin(server: Server) -> None:
    name = "once"
    for values in ([1.0, 3.0, "NaN", 7.0], [10.0], ["NaN"]):
        run = Writing(server, project=name)
        run.points(run.graph("loss"), list(range(len(values))), loss=values)
    run = Writing(server, project=name)
    run.points(run.graph("other"), [0], loss=[99.0])
    columns = server.get(GROUPS, project=name, title="loss")["series"]["loss"]
    assert columns["x"] == [0, 1, 2, 3]
    assert columns["n"] == [2, 1, 0, 1]
    assert columns["mean"] == [5.5, 3.0, None, 7.0]
    assert columns["sd"] == [pytest.approx(np.std([1.0, 10.0], ddof=1)), None, None, None]
    assert (columns["min"], columns["max"]) == ([1.0, 3.0, None, 7.0], [10.0, 3.0, None, 7.0])
    assert (columns["nan"], columns["inf"]) == ([1, 0, 1, 0], [0, 0, 0, 0])
    found = server.get(f"{GROUPS}/graphs", project=name)
    assert found["sessions"] == len(found["ids"]) == 4
    assert [(graph["title"], graph["kind"]) for graph in found["graphs"]] == [("loss", "min"), ("other", "min")]


def test_bins_stay_when_points_are_added(server: Server) -> None:
    [run], _ = make_group(server, "growing", [5_000])
    asked = {"project": "growing", "title": "loss", "width": 200}
    before = server.get(GROUPS, **asked)
    run.points(records.graph_id(run.session, "loss"), [5_000, 5_001], loss=[1.0, 1.0])
    after = server.get(GROUPS, **asked)
    assert before["size"] == after["size"] == 32
    assert after["series"]["loss"]["mean"][:156] == before["series"]["loss"]["mean"][:156]
    assert after["series"]["loss"]["x"] == list(range(0, 5_002, 32))


def test_what_belongs_to_a_group(server: Server) -> None:
    runs, _ = make_group(server, "members", [10, 10, 10])

    def count(**asked: Any) -> Any:
        found = server.get(GROUPS, project="members", title="loss", **asked)
        assert found["sessions"] == server.get(f"{GROUPS}/graphs", project="members", **asked)["sessions"]
        return found["sessions"]

    assert (count(), count(q="seed=1"), count(q="seed>0")) == (3, 1, 2)
    edit(server, runs[0].session, archived=True)
    assert (count(), count(**{"in": "archive"}), count(q="seed=0")) == (2, 1, 0)
    for asked in ({"q": "("}, {"in": "nowhere"}, {"x0": "a"}, {"width": 0}):
        wrong = {"project": "members", "title": "loss", **asked}
        assert server.request("GET", GROUPS, params=wrong).status_code == 400, asked
    assert server.request("GET", GROUPS, params={"project": "members"}).status_code == 400
    key, _ = add_key(server, "somewhere else")
    for path in (GROUPS, f"{GROUPS}/graphs"):
        theirs = {"project_id": server.project_id("members"), "title": "loss"}
        assert server.request("GET", path, params=theirs, key=key).status_code == 404


def test_the_number_of_steps_if_all_have_the_same(server: Server) -> None:
    make_group(server, "equal steps", [5, 50], max_iter=100)
    make_group(server, "unequal steps", [5, 50])
    assert server.get(GROUPS, project="equal steps", title="loss")["steps"] == 100
    assert server.get(GROUPS, project="unequal steps", title="loss")["steps"] is None
    assert server.get(GROUPS, project="unequal steps", q="seed=1", title="loss")["steps"] == 50


def test_the_series_of_finished_sessions_is_not_sent_again(server: Server) -> None:
    runs, _ = make_group(server, "finished", [10, 10])

    def ask(tag: str | None = None) -> Any:
        headers = {} if tag is None else {"If-None-Match": tag}
        return server.request("GET", GROUPS, params={"project": "finished", "title": "loss"}, headers=headers)

    runs[0].end()
    assert "ETag" not in ask().headers
    runs[1].end()
    tag = ask().headers["ETag"]
    assert (ask(tag).status_code, ask(tag).content) == (304, b"")
    other, _ = make_group(server, "finished", [20])
    other[0].end()
    again = ask(tag)
    assert (again.status_code, again.json()["sessions"]) == (200, 3)


# bounds, in this process


def members_of(runs: list[DirectWriting]) -> list[Any]:
    with reading() as connection:
        ids = [run.session for run in runs]
        return list(connection.execute(select(Session.key).where(Session.id.in_(ids)).order_by(Session.key)).scalars())


def test_a_large_group_is_cut(app: None, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [DirectWriting() for _ in range(5)]
    title = f"cut {time.time()}"
    for number, run in enumerate(runs):
        xs = list(range(1_000))
        run.send(records.points_record(run.graph(title), xs, [0.0] * 1_000, {"a": [float(number)] * 1_000, "b": xs}))
    monkeypatch.setattr(group_members, "MAX_MEMBERS", 3)
    with reading() as connection:
        access = runs[0].access
        assert access.default_project is not None
        asked: dict[str, Any] = {"q": "", "place": "current", "offset": 0.0, "title": title}
        total, rows = group_members.find_members(connection, [access.default_project], **asked)
        assert (total, [row.key for row in rows]) == (5, members_of(runs)[:1:-1])
        members = [
            [MemberGraph(store.graph_ref(connection, row.key, 1), SummaryState.load(row.summary_states["1"]), 1_000)]
            for row in rows
        ]
        whole = group_series.group_series(members, None, None, 1_000)
        assert (whole["size"], whole["used"], whole["series"]["a"]["mean"][0]) == (1, 3, 3.0)
        monkeypatch.setattr(group_series, "MAX_LINES", 4)
        assert group_series.group_series(members, None, None, 1_000)["used"] == 2
        monkeypatch.setattr(group_series, "MAX_BUCKETS", 50)
        monkeypatch.setattr(group_series, "MAX_POINTS", 100)
        assert group_series.group_series(members, None, None, 1_000)["size"] == 256
        monkeypatch.setattr(group_series, "MAX_SECONDS", -1)
        assert group_series.group_series(members, None, None, 1_000)["used"] == 1
