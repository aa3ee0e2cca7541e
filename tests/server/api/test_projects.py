"""The list of projects: what it says of each, and what people change of them."""

from __future__ import annotations

import secrets
import time
from typing import Any

import pytest
import requests

from tests.support.batches import Writing
from tests.support.editing import add_key, edit
from tests.support.people import person
from tests.support.server import Server, eventually

pytestmark = pytest.mark.full_on_postgresql


@pytest.fixture
def name() -> str:
    return f"projects {secrets.token_hex(4)}"


def make(server: Server, name: str, best: float | str, **fields: Any) -> Writing:
    run = Writing(server, project=name, **fields)
    run.points(run.graph("loss", "min"), [0, 1], val_loss=[9.0, best], train_loss=[9.0, 8.0])
    return run


def listed(server: Server, name: str, browser: requests.Session | None = None) -> Any:
    if browser is None:
        projects = server.get("/api/v2/projects")["projects"]
    else:
        projects = browser.get(f"{server.url}/api/v2/projects", timeout=30).json()["projects"]
    return next(project for project in projects if project["name"] == name)


def change(server: Server, name: str, browser: requests.Session | None = None, **body: Any) -> requests.Response:
    address = f"/api/v2/projects/{server.project_id(name)}"
    if browser is None:
        return server.request("PATCH", address, json=body)
    return browser.patch(server.url + address, json=body, timeout=30)


def expect_best(server: Server, name: str, statistic: str, value: float | None, session: str | None) -> None:
    """The project's best value is this, within a moment."""

    def check() -> bool:
        best = listed(server, name)["best"]
        assert (best["statistic"], best["value"]) == (statistic, value), best
        assert (best["session"] or {}).get("id") == session, best
        return True

    eventually(check, timeout=60)


def test_what_a_project_has(server: Server, name: str) -> None:
    runs = [make(server, name, 1.0 + n, tag=f"run-{n}", max_iter=4) for n in range(5)]
    runs[0].end("complete")
    gone = make(server, name, 0.1)
    edit(server, gone.session, archived=True)
    found = listed(server, name)
    assert (found["sessions"], found["running"], found["description"], found["starred"]) == (5, 4, "", False)
    assert [run["tag"] for run in found["newest_running"]] == ["run-4", "run-3", "run-2"]
    assert {run["progress"] for run in found["newest_running"]} == {0.5}
    assert abs(found["updated_at"] - time.time()) < 300


def test_the_best_value_follows_the_sessions(server: Server, name: str) -> None:
    first, second = make(server, name, 0.5), make(server, name, "NaN")
    expect_best(server, name, "min(val_loss)", 0.5, first.session)
    second.points(second.graph("loss", "min"), [2], val_loss=[0.25])
    expect_best(server, name, "min(val_loss)", 0.25, second.session)
    edit(server, second.session, deleted=True)
    expect_best(server, name, "min(val_loss)", 0.5, first.session)
    edit(server, second.session, deleted=False)
    expect_best(server, name, "min(val_loss)", 0.25, second.session)
    first.points(first.graph("loss", "min"), [2], train_loss=[20.0])
    assert change(server, name, best="max(train_loss)").status_code == 200
    expect_best(server, name, "max(train_loss)", 20.0, first.session)


def test_what_best_may_be(server: Server, name: str) -> None:
    make(server, name, 0.5)
    for wrong in ("val_loss", "last(val_loss)", "", 1, "min(" + "x" * 400 + ")"):
        assert change(server, name, best=wrong).status_code == 400
    assert change(server, name, best="min(nothing)").json()["best"] == {
        **{"statistic": "min(nothing)", "chosen": True, "value": None, "session": None}
    }
    assert change(server, name, best=None).json()["best"] is None, "it is looked for"


@pytest.mark.parametrize(("role", "changes", "sees"), [("member", 200, 200), ("viewer", 403, 200), (None, 404, 404)])
def test_permissions(server: Server, name: str, role: str | None, changes: int, sees: int) -> None:
    Writing(server, project=name)
    browser = person(server, role)
    assert change(server, name, browser, description="theirs").status_code == changes
    assert change(server, name, browser, best="min(loss)").status_code == changes
    assert change(server, name, browser, starred=True).status_code == sees
    found = listed(server, name)
    assert (found["description"], found["starred"]) == ("theirs" if role == "member" else "", False)
    if role is not None:
        assert listed(server, name, browser)["starred"] is True, "a star is one's own"
        assert listed(server, name, browser)["may_write"] == (role == "member")


def test_keys(server: Server, name: str) -> None:
    Writing(server, project=name)
    assert change(server, name, description=" By a script \0 ").json()["description"] == "By a script \ufffd"
    assert change(server, name, starred=True).status_code == 403, "the key of an organization is nobody's"
    address = f"/api/v2/projects/{server.project_id(name)}"
    for key, limited in (("others", False), ("limited others", True)):
        theirs, _ = add_key(server, key, limited=limited)
        assert server.request("PATCH", address, key=theirs, json={"description": "x"}).status_code == 404
    assert requests.patch(server.url + address, json={"description": "x"}, timeout=30).status_code == 401
    for unknown in (10**9, 2**70):
        answer = server.request("PATCH", f"/api/v2/projects/{unknown}", json={"description": "x"})
        assert answer.status_code == 404
    assert listed(server, name)["description"] == "By a script \ufffd"


def test_two_people_do_not_overwrite_each_other(server: Server, name: str) -> None:
    Writing(server, project=name)
    one, other = person(server, "member"), person(server, "member")
    assert change(server, name, one, description="one's", before={"description": ""}).status_code == 200
    late = change(server, name, other, description="other's", best="min(a)", before={"description": "", "best": None})
    now = {"description": "one's", "best": None}
    assert (late.status_code, late.json()["code"], late.json()["project"]) == (409, "project_changed", now)
    assert listed(server, name)["best"] is None, "nothing is changed"
    # who changes another field, or sets what is there already, is in nobody's way
    assert change(server, name, other, best="min(a)", before={"best": None}).status_code == 200
    assert change(server, name, other, description="one's", before={"description": ""}).status_code == 200
    # taking back one's own
    assert change(server, name, one, description="", before={"description": "one's"}).status_code == 200
    assert change(server, name, one, best=None, before={"best": "max(b)"}).status_code == 409
    assert listed(server, name)["best"]["statistic"] == "min(a)"


def test_the_line_ends_of_a_text_field_are_no_change(server: Server, name: str) -> None:
    Writing(server, project=name)
    assert change(server, name, description="a\r\nb\rc").json()["description"] == "a\nb\nc"
    assert change(server, name, description="d", before={"description": "a\r\nb\nc"}).status_code == 200


@pytest.mark.parametrize(
    "body", [[], {"name": "x"}, {"before": {"starred": True}}, {"description": "x" * 3_000}, {"starred": "yes"}]
)
def test_what_is_no_change_is_refused(server: Server, name: str, body: Any) -> None:
    Writing(server, project=name)
    browser = server.signed_in()
    address = f"{server.url}/api/v2/projects/{server.project_id(name)}"
    assert browser.patch(address, json=body, timeout=30).status_code == 400
    assert browser.patch(address, data="{}", timeout=30).status_code == 415
    forged = browser.patch(address, json={}, headers={"Origin": "http://elsewhere.example"}, timeout=30)
    assert forged.status_code == 403


def test_starred_projects_come_first(server: Server, name: str) -> None:
    names = [f"{name} {letter}" for letter in "abc"]
    for each in names:
        Writing(server, project=each)
    browser = person(server, "viewer")
    assert change(server, names[2], browser, starred=True).json()["starred"] is True

    def order(page: str) -> list[str]:
        return sorted(names, key=page.index)

    assert order(browser.get(f"{server.url}/projects/rows", timeout=30).text) == [names[2], *names[:2]]
    header = browser.get(f"{server.url}/projects/{server.project_id(names[0])}", timeout=30).text
    assert order(header.partition('class="menu-list"')[2]) == [names[2], *names[:2]]
    assert order(server.signed_in().get(f"{server.url}/projects", timeout=30).text) == names
    assert change(server, names[2], browser, starred=False).json()["starred"] is False


def test_the_page_is_readable_without_scripts(server: Server, name: str) -> None:
    run = make(server, name, 0.5, tag="<b>run</b>", max_iter=4)
    change(server, name, description="What <i>data order</i> does")
    expect_best(server, name, "min(val_loss)", 0.5, run.session)
    page = server.signed_in().get(f"{server.url}/projects", timeout=30).text
    part = page.partition(f">{name}</a>")[2].partition("</tr>")[0]
    assert "What &lt;i&gt;data order&lt;/i&gt; does" in part
    assert "&lt;b&gt;run&lt;/b&gt;" in part
    assert "50%" in part
    assert "min(val_loss)" in part
    assert time.strftime("%Y-", time.gmtime()) in part
