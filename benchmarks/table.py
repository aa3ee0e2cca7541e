"""The session table of a project with 10,000 sessions of 20 statistics each: over HTTP and in Chromium, on SQLite and
on PostgreSQL. An answer's time ends when its body has arrived; a page's, in the frame after the one with the rows.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from benchmarks.support.browser import signed_in_page
from benchmarks.support.measuring import say, temporary_folder
from benchmarks.support.report import Row

BAR, FIRST_BAR, CHART_BAR, SCRIPT_BAR, TASK_BAR = 200.0, 1_000.0, 500.0, 250.0, 50.0
LIMIT = 100
"""Rows a request: what the page asks for."""

Asked = dict[str, str | int]

SORTS = (
    "-created_at",
    "tag",
    "status",
    "-progress",
    "-elapsed",
    "min(val_loss)",
    "-max(val_accuracy)",
    "last(grad_norm)",
    "params.lr",
    "values.score",
)
FILTERS: dict[str, Asked] = {
    "q: a word of few": {"q": "zirconium"},
    "q: a word of many": {"q": "resnet"},
    "q: a word of none": {"q": "nothing-like-it"},
    "status: failed": {"status": "failed"},
    "q, status and a statistic": {"q": "resnet", "status": "complete", "sort": "min(val_loss)"},
    "q and a param": {"q": "resnet adam", "sort": "-params.lr"},
    "q: a number of a param": {"q": "lr<=0.01"},
    "q: a statistic": {"q": "min(val_loss)<0.3"},
    "q: a regular expression": {"q": "tag~res.*1"},
    "q: eight terms": {
        "q": "(lr>0.001 or optimizer=adam) and min(val_loss)<0.9 and has(params.lr) and last(val_accuracy)>0.1 and not "
        "(status=cancelled or tag~test or created<2020-01-01)",
        "sort": "min(val_loss)",
    },
}
VALUES_OF = ("optimizer.name", "lr", "min(val_loss)", "tags", "status")
"""Fields whose values are asked for, as completion does."""
GROUPED: dict[str, dict[str, Any]] = {
    "batch_size": {"by": "batch_size"},
    "batch_size, with 6 statistics": {"by": "batch_size"},
    "batch_size, with 6 statistics and 2 params": {"by": "batch_size", "show": ["optimizer.name", "params.seed"]},
    "lr, of 10,000 values": {"by": "lr"},
    "params.seed, by the mean of a statistic": {"by": "params.seed", "sort": "min(val_loss)"},
    "tags": {"by": "tags"},
    "status": {"by": "status"},
    "batch_size, of a query": {"by": "batch_size", "q": "optimizer.name=adam"},
}
"""By what and how sessions are grouped, with one statistic where the name says nothing else."""
GROUP_STATISTICS = [
    f"{which}({name})" for name in ("train_loss", "val_loss", "val_accuracy") for which in ("min", "max")
]
PAGED = ("-created_at", "min(val_loss)")
PAGES = (50, 200)


def run(quick: bool) -> list[Row]:
    from tests.support.database.postgres import OwnPostgres

    rows = _measured("SQLite", None, quick)
    with temporary_folder() as folder:
        postgres = OwnPostgres(folder / "postgres")
        try:
            rows += _measured("PostgreSQL", postgres.new_database(), quick)
        finally:
            postgres.stop()
    return rows


def _measured(name: str, url: str | None, quick: bool) -> list[Row]:
    from benchmarks.support.many_sessions import make_sessions

    count, repeats = (300, 3) if quick else (10_000, 20)
    with _server(url) as server:
        say(f"table: {count:,} sessions on {name}")
        make_sessions(server, count)
        answers = _answers(server, name, repeats, count)
        graph = _long_session(server, 50_000 if quick else 1_000_000)
        return answers + _pages(server, name, max(3, repeats // 2), graph)


@contextlib.contextmanager
def _server(url: str | None) -> Iterator[Any]:
    from tests.support.server import Server

    with temporary_folder() as folder:
        server = Server(folder, url)
        try:
            yield server.start()
        finally:
            if server.process is not None and server.process.poll() is None:
                server.kill()


# over HTTP


def _answers(server: Any, name: str, repeats: int, count: int) -> list[Row]:
    import requests

    with requests.Session() as http:
        http.headers["Authorization"] = server.api_key

        def get(**asked: Any) -> requests.Response:
            answer = http.get(server.url + "/api/v2/sessions", params=_asked(**asked), timeout=60)
            answer.raise_for_status()
            return answer

        rows = []
        cases: dict[str, Asked] = {**{f"sort: {sort}": {"sort": sort} for sort in SORTS}, **FILTERS}
        for page in PAGES:
            for sort in PAGED:
                cursor = _cursor(get, sort, min(page, count // LIMIT))
                # as 50 rows a page: page 200 of 10,000
                cases[f"sort: {sort}, page {page} by its cursor"] = {"sort": sort, "cursor": cursor, "limit": 50}
        for what, asked in cases.items():
            get(**asked)
            taken = [_timed(get, asked) for _ in range(repeats)]
            rows.append(_bar_row(f"{name}, {what}", taken, BAR))
        rows += _completions(http, server, name, repeats)
        answer = get()
        whole = len(answer.content) / 1024
        sent = int(answer.headers["Content-Length"]) / 1024
        rows.append(Row(f"{name}, {LIMIT} rows as they are sent", "KiB", [sent], "as JSON", [whole]))
        return rows


def _completions(http: Any, server: Any, name: str, repeats: int) -> list[Row]:
    """What completion, filters, the Columns menu and groups ask for."""
    from benchmarks.support.many_sessions import PROJECT

    def get(path: str, **asked: Any) -> float:
        started = time.perf_counter()
        address = f"{server.url}/api/v2/sessions/{path}"
        http.get(address, params={"project": PROJECT, **asked}, timeout=60).raise_for_status()
        return (time.perf_counter() - started) * 1e3

    rows = [Row(f"{name}, the fields, once after the server's start", "ms", [get("fields")])]
    rows.append(_bar_row(f"{name}, the fields", [get("fields") for _ in range(repeats)], BAR))
    rows.append(_bar_row(f"{name}, the params that differ", [get("differing_params") for _ in range(repeats)], BAR))
    for field in VALUES_OF:
        taken = [get("field_values", field=field, limit="100") for _ in range(repeats)]
        rows.append(_bar_row(f"{name}, the values of {field}", taken, BAR))
    for what, asked in GROUPED.items():
        statistics = GROUP_STATISTICS if "6 statistics" in what else GROUP_STATISTICS[2:3]
        get("groups", stat=statistics, **asked)
        taken = [get("groups", stat=statistics, **asked) for _ in range(repeats)]
        rows.append(_bar_row(f"{name}, groups by {what}", taken, BAR))
    return rows


def _asked(**asked: Any) -> dict[str, Any]:
    from benchmarks.support.many_sessions import PROJECT

    return {"project": PROJECT, "limit": LIMIT, **asked}


def _timed(get: Callable[..., Any], asked: Asked) -> float:
    started = time.perf_counter()
    get(**asked)
    return (time.perf_counter() - started) * 1e3


def _cursor(get: Callable[..., Any], sort: str, page: int) -> str:
    """Where the page of 50 rows with this number begins, the first being 1."""
    cursor: dict[str, str] = {}
    for start in range(0, (page - 1) * 50, 1_000):
        limit = min(1_000, (page - 1) * 50 - start)
        cursor = {"cursor": get(sort=sort, limit=limit, **cursor).json()["next"]}
    return cursor["cursor"]


def _bar_row(what: str, taken: list[float], bar: float, unit: str = "ms") -> Row:
    return Row(what, unit, taken, bar=f"≤ {bar:,.0f} {unit}", met=median(taken) <= bar)


def _long_session(server: Any, points: int) -> str:
    """A session with one graph of so many points."""
    import math

    from benchmarks.support.many_sessions import PROJECT
    from tests.support.batches import Writing

    writing = Writing(server, project=PROJECT, tag="long", created_at=time.time() - 86_400)
    graph = writing.graph("long curve")
    for start in range(0, points, 50_000):
        xs = list(range(start, start + 50_000))
        writing.points(graph, xs, [1e9 + x / 1000 for x in xs], loss=[math.exp(-x / 3e5) + math.sin(x) / 9 for x in xs])
    return writing.session


# in Chromium

WATCH = """
window.measured = {};
const look = () => {
  const body = document.querySelector('#sessions tbody');
  const { measured } = window;
  const note = (name) => requestAnimationFrame(() => { measured[name] ??= performance.now(); });
  if (!('rows' in measured) && body?.querySelector('tr[data-session]')) note('rows');
  const card = document.querySelector('.card[data-graph-title="long curve"]');
  if (!('chart' in measured) && card && Object.values(card.losswise.data()).some((names) => names.loss?.x.length))
    note('chart');
  requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
REDRAWN = """
([act, given]) => new Promise((done) => {
  const rows = () => [...document.querySelectorAll('#sessions tr[data-session]')];
  const ids = () => rows().map((row) => row.dataset.session).join();
  const before = ids();
  const started = performance.now();
  if (act === 'click') document.querySelector(given).click();
  else {
    const field = document.querySelector('#search');
    field.value = given;
    field.dispatchEvent(new InputEvent('input', { bubbles: true }));
  }
  const look = () => {
    if (ids() !== before) requestAnimationFrame(() => done(performance.now() - started));
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})
"""
# Scrolls the table from its first row to its last, as fast as rows are loaded; gives what scripts took in frames of
# over 50 ms. Long tasks would count painting, which takes longer than scripts without a graphics card.
SCROLL = """
(count) => new Promise((done) => {
  const scroller = document.querySelector('#table-scroll');
  const tasks = [];
  const observer = new PerformanceObserver((list) => {
    for (const frame of list.getEntries()) tasks.push(...frame.scripts.map((script) => script.duration));
  });
  observer.observe({ type: 'long-animation-frame' });
  const frames = [];
  let last = performance.now();
  const step = (now) => {
    frames.push(now - last);
    last = now;
    scroller.scrollTop += 240;
    const end = scroller.querySelector(`tr[aria-rowindex="${count + 1}"]`);
    if (!end) requestAnimationFrame(step);
    else setTimeout(() => done({ longest: Math.max(0, ...tasks), tasks: tasks.length, frames }), 200);
  };
  requestAnimationFrame(step);
})
"""
RUNNING = 20
"""Sessions that log while the table is scrolled."""
SCRIPTS = """
() => [...new Set(performance.getEntriesByType('resource').map((entry) => entry.name))]
  .filter((name) => name.endsWith('.js'))
"""


def _pages(server: Any, name: str, repeats: int, long_session: str) -> list[Row]:
    import requests

    with _browser_page(server) as (page, address):
        first, chart, sorts, filters = [], [], [], []
        for number in range(repeats):
            page.goto(address)
            first.append(_noted(page, "rows"))
            page.wait_for_timeout(1_000)
            for title in ("min(train_loss)", "Tag", "max(train_accuracy)", "Elapsed"):
                header = f'#sessions th[title="{title}"] button'
                sorts.append(page.evaluate(REDRAWN, ["click", header]))
                page.wait_for_timeout(200)
            for word in (f"resnet18-{number}", "vit", "zirconium", ""):
                filters.append(page.evaluate(REDRAWN, ["type", word]))
                page.wait_for_timeout(200)
            page.goto(f"{address}?s={long_session}")
            chart.append(_noted(page, "chart"))
            addresses = page.evaluate(SCRIPTS)
            page.goto("about:blank")
        scrolled = _scrolled(server, page, address)
    scripts = [sum(len(requests.get(address, timeout=60).content) for address in addresses) / 1e3]
    return [
        _bar_row(f"{name}, navigation to the first rows drawn", first, FIRST_BAR),
        _bar_row(f"{name}, click on a header to the rows drawn", sorts, BAR),
        _bar_row(f"{name}, a change of the filter to the rows drawn", filters, BAR),
        _bar_row(f"{name}, navigation to a first chart of 1,000,000 points", chart, CHART_BAR),
        _bar_row(f"{name}, JavaScript of the page", scripts, SCRIPT_BAR, "kB"),
        *_scroll_rows(name, scrolled),
    ]


def _scrolled(server: Any, page: Any, address: str) -> dict[str, Any]:
    """What scrolling through all rows costs the browser, while RUNNING sessions log ten steps a second in all."""
    from benchmarks.support.many_sessions import PROJECT
    from tests.support.batches import Writing

    runs = [Writing(server, project=PROJECT, tag=f"running {number}") for number in range(RUNNING)]
    graphs = [run.graph() for run in runs]
    stop = threading.Event()

    def log() -> None:
        step = 0
        while not stop.wait(0.1):
            runs[step % RUNNING].points(graphs[step % RUNNING], [step], loss=[1 / (step + 1)])
            step += 1

    writer = threading.Thread(target=log, daemon=True)
    writer.start()
    try:
        page.goto(address)
        _noted(page, "rows")
        page.wait_for_timeout(1_000)
        total = server.get("/api/v2/sessions", project=PROJECT, limit=1)["total"]
        page.set_default_timeout(300_000)
        return dict(page.evaluate(SCROLL, total))
    finally:
        stop.set()
        writer.join()


def _scroll_rows(name: str, scrolled: dict[str, Any]) -> list[Row]:
    what = f"{name}, scrolling through all rows while {RUNNING} sessions run"
    frames = sorted(scrolled["frames"])
    return [
        _bar_row(f"{what}: the longest task of a script", [scrolled["longest"]], TASK_BAR),
        Row(f"{what}: a frame", "ms", frames, "99th percentile", [frames[int(len(frames) * 0.99)]]),
    ]


def _noted(page: Any, name: str) -> float:
    page.wait_for_function(f"() => window.measured?.{name}")
    return float(page.evaluate(f"() => window.measured.{name}"))


@contextlib.contextmanager
def _browser_page(server: Any) -> Iterator[tuple[Any, str]]:
    """A page of the admin, signed in, that notes when rows and charts are there; and the project's address."""
    from benchmarks.support.many_sessions import PROJECT

    with signed_in_page(server, WATCH) as page:
        yield page, f"{server.url}/projects/{server.project_id(PROJECT)}"


if __name__ == "__main__":
    from benchmarks.__main__ import main

    sys.exit(main(names=("table",)))
