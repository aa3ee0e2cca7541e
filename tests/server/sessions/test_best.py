"""The best value of each statistic, over all sessions of a filter."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.support.batches import Writing
from tests.support.server import Server


def make(server: Server, project: str, tag: str, loss: float | str, **more: Any) -> Writing:
    run = Writing(server, project=project, tag=tag, **more)
    run.points(run.graph("loss", "min"), [0], val_loss=[loss])
    return run


def best(server: Server, project: str, *names: str, query: str = "") -> dict[str, float]:
    asked = "".join(f"&best={quote(name)}" for name in names)
    return server.get(f"/api/v2/sessions?project={project}&limit=1{asked}{query}")["best"]


def test_the_best_is_that_of_every_session_of_the_filter(server: Server) -> None:
    project = "best of all"
    make(server, project, "alpha", 0.25).end("complete")
    run = make(server, project, "beta", 0.5)
    run.points(run.graph("accuracy", "max"), [0, 1, 2], acc=[0.5, 0.875, "Infinity"])
    make(server, project, "broken", "NaN")
    newest = make(server, project, "gamma", 4.0)
    loss = "min(val_loss)"
    assert best(server, project, loss) == {loss: 0.25}
    both = {loss: 0.25, "max(acc)": 0.875}
    assert best(server, project, *both, "min(unknown)") == both
    assert best(server, project, loss, query="&status=active") == {loss: 0.5}
    assert best(server, project, loss, query="&q=gamma") == {loss: 4.0}
    assert best(server, project, loss, query="&q=broken") == {}
    assert best(server, project, loss, query="&q=nothing") == {}
    newest.points(newest.graph("loss", "min"), [1], val_loss=[0.125])
    assert best(server, project, loss, query="&q=gamma") == {loss: 0.125}
    assert "best" not in server.get(f"/api/v2/sessions?project={project}")


def test_names_that_are_hard_to_quote_in_json_paths(server: Server) -> None:
    project = "hard names"
    names = ['a "quoted" name', "back\\slash", "dot.ted", "brack[0]et", "line\nbreak"]
    for value in (2.0, 1.0):
        run = Writing(server, project=project)
        graph = run.graph("loss", "min")
        for name in names:
            run.points(graph, [0], **{name: [value]})
    wanted = {f"min({name})": 1.0 for name in names}
    assert best(server, project, *wanted) == wanted


@pytest.mark.parametrize("names", [["last(loss)"], ["loss"], ["min()"], [f"min({n})" for n in range(51)]])
def test_names_without_a_best_value_are_400(server: Server, names: list[str]) -> None:
    asked = "&".join(f"best={name}" for name in names)
    answer = server.request("GET", f"/api/v2/sessions?{asked}")
    assert answer.status_code == 400
    assert "'best'" in answer.json()["error"]
