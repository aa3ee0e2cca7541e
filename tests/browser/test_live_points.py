"""What charts make of live points: those that they have not are drawn, each once, wherever they belong."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import APIResponse, Page, Route, expect

from tests.browser.conftest import Project
from tests.browser.looking import LOAD, drag, drawn, wait_drawn
from tests.support.batches import Writing
from tests.support.server import Server, eventually

LONG = 20_000
SAY = f"""async ([graph, event]) => {{ {LOAD}    const {{ append, layerOf }} = await load('data/series_store.js');
    const {{ version, arrivals }} = layerOf(graph);
    const from = version - 1;
    append({{ ...event, from, to: version + 1, arrivals: arrivals + 1 }});
    // at once: the page may soon have the series from the server again
    return document.querySelector('.card[data-graph-title="loss"]').losswise.data();
}}"""


def open_run(page: Page, server: Server, project: Project, x: list[int]) -> tuple[Writing, str]:
    """A run's graph with a quantity `loss`, which the page shows and follows."""
    run = Writing(server, project=project.name, tag="followed")
    graph = run.graph()
    run.points(graph, x, [1_000.0 + one for one in x], loss=[0.5] * len(x))
    page.goto(project.address)
    wait_drawn(page, "loss", run.session, "loss")
    expect(page.locator("#live")).to_have_text("live")
    return run, graph


def say(page: Page, run: Writing, graph: str, *points: tuple[int, float, int]) -> Any:
    """Tell the page of points (x, value, n) in an event that begins before the version that it has; what it draws."""
    x, y, n = (list(column) for column in zip(*points, strict=True))
    columns = {"x": x, "y": y, "t": [1_000.0 + one for one in x], "n": n}
    event = {"session": run.session, "graphs": {graph: {"series": {"loss": columns}}}}
    return page.evaluate(SAY, [graph, event])[run.session]["loss"]


def test_a_point_that_stands_there_already_comes_again_and_is_another(
    page: Page, server: Server, project: Project
) -> None:
    run, graph = open_run(page, server, project, [0, 1, 2])
    run.points(graph, [2], [1_002.0], loss=[0.5])
    wait_drawn(page, "loss", run.session, "loss", "line.x.length === 4")
    # the last of the four again, as an event that is older than the page's answer has it, and a fifth
    line = say(page, run, graph, (2, 0.5, 3), (2, 0.5, 4))
    assert line == {"x": [0, 1, 2, 2, 2], "y": [0.5] * 5}


def test_a_late_point_of_a_long_graph_is_seen_at_once(page: Page, server: Server, project: Project) -> None:
    run, graph = open_run(page, server, project, list(range(LONG)))
    whole = drawn(page, "loss")[run.session]["loss"]
    bucket = next(place for place, x in enumerate(whole["x"]) if x > LONG // 2)
    x = whole["x"][bucket] + 1
    line = say(page, run, graph, (x, -7.0, 3), (x, 9.0, LONG), (LONG, 0.25, LONG))
    assert line["max"] == [*whole["max"][:bucket], 9.0, *whole["max"][bucket + 1 :], 0.25]
    assert line["min"] == [*whole["min"], 0.25]  # the first of the three was there
    assert line["x"] == [*whole["x"], LONG]


def test_late_points_of_a_long_graph_end_as_the_server_has_them(page: Page, server: Server, project: Project) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/api/v2/series?" in request.url else None)
    run, graph = open_run(page, server, project, list(range(LONG)))
    before = len(asked)
    for x in range(100, 2_000, 100):
        run.points(graph, [x], loss=[9.0])
    path = asked[-1].removeprefix(server.url)

    def agree() -> bool:
        line, stored = drawn(page, "loss")[run.session]["loss"], server.get(path)["graphs"][graph]["series"]["loss"]
        return all(line[name] == stored[name] for name in ("x", "min", "max", "mean"))

    eventually(agree)
    assert len(asked) - before < 10  # not for each


def test_what_comes_while_a_zoom_is_asked_for_is_in_it(page: Page, server: Server, project: Project) -> None:
    held: list[tuple[Route, APIResponse]] = []

    def hold(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append((route, route.fetch()))

    run, graph = open_run(page, server, project, list(range(LONG)))
    page.route("**/api/v2/series?*x0=*", hold)
    drag(page, "loss", 0.5, 0.52)
    for _ in range(100):
        if held:
            break
        page.wait_for_timeout(50)
    [(route, answer)] = held
    asked = answer.json()["graphs"][graph]["series"]["loss"]["x"]
    x = asked[len(asked) // 2]
    run.points(graph, [x], loss=[9.0])
    wait_drawn(page, "loss", run.session, "loss", "line.max?.includes(9)")  # not finer yet
    route.fulfill(response=answer)
    line = wait_drawn(page, "loss", run.session, "loss", "line.y?.includes(9)")
    assert line["x"] == sorted([*asked, x])
    run.points(graph, [x], loss=[9.0])
    line = wait_drawn(page, "loss", run.session, "loss", "line.y?.filter((y) => y === 9).length === 2")
    assert line["x"] == sorted([*asked, x, x])
