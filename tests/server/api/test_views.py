"""Saved views: the project's and one's own, defaults, and addresses too long for an address bar."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
import requests

from tests.support.batches import Writing
from tests.support.editing import add_key
from tests.support.people import person
from tests.support.server import Server

SEARCH = "?q=lr%3C%3D0.01&sort=-min(val_loss)&x=step"


@pytest.fixture
def project(server: Server) -> int:
    name = f"views {secrets.token_hex(4)}"
    Writing(server, project=name)
    return server.project_id(name)


class Browser:
    """A person, or a program with a key, that asks for views of one project."""

    def __init__(self, server: Server, project: int, session: requests.Session) -> None:
        self.url, self.project, self.session = f"{server.url}/api/v2/views", project, session

    def ask(self, method: str, path: str = "", **body: Any) -> requests.Response:
        json = body or None
        return self.session.request(method, self.url + path, json=json, timeout=30)

    def save(self, name: str, shared: bool = False, search: str = SEARCH) -> requests.Response:
        return self.ask("POST", project_id=self.project, name=name, shared=shared, search=search)

    def listed(self) -> Any:
        return self.ask("GET", f"?project_id={self.project}").json()

    def names(self) -> list[str]:
        return [view["name"] for view in self.listed()["views"]]

    def default(self, view: str | None, by: str = "me") -> requests.Response:
        return self.ask("PUT", "/default", project_id=self.project, by=by, view=view)


@pytest.fixture
def admin(server: Server, project: int) -> Browser:
    return Browser(server, project, server.signed_in())


@pytest.fixture
def viewer(server: Server, project: int) -> Browser:
    return Browser(server, project, person(server, "viewer"))


def with_key(server: Server, project: int, key: str) -> Browser:
    session = requests.Session()
    session.headers["Authorization"] = key
    return Browser(server, project, session)


def test_a_view_is_saved_renamed_changed_and_deleted(admin: Browser) -> None:
    assert admin.listed() == {"views": [], "default": {"mine": None, "project": None}}
    answer = admin.save("  Best   runs ")
    view = answer.json()
    assert (answer.status_code, view["name"], view["search"], view["version"]) == (201, "Best runs", SEARCH, 1)
    assert (view["shared"], view["may_change"], bool(view["owner"])) == (False, True, True)
    assert admin.ask("GET", f"/{view['id']}").json() == view
    renamed = admin.ask("PATCH", f"/{view['id']}", version=1, name="Best").json()
    assert (renamed["name"], renamed["search"], renamed["version"]) == ("Best", SEARCH, 2)
    changed = admin.ask("PATCH", f"/{view['id']}", version=2, search="?s=a&x=step").json()
    assert (changed["name"], changed["search"], changed["version"]) == ("Best", "?s=a&x=step", 3)
    assert admin.listed()["views"] == [changed]
    assert admin.ask("DELETE", f"/{view['id']}").status_code == 200
    assert admin.ask("GET", f"/{view['id']}").status_code == 404
    assert admin.listed()["views"] == []


def test_two_people_do_not_overwrite_each_other(server: Server, project: int, admin: Browser) -> None:
    other = Browser(server, project, person(server, "member"))
    view = admin.save("ours", shared=True).json()
    assert other.ask("PATCH", f"/{view['id']}", version=1, search="?q=theirs&x=step").status_code == 200
    answer = admin.ask("PATCH", f"/{view['id']}", version=1, search="?q=mine&x=step")
    assert (answer.status_code, answer.json()["code"]) == (409, "view_changed")
    assert (answer.json()["view"]["search"], answer.json()["view"]["version"]) == ("?q=theirs&x=step", 2)
    assert admin.ask("PATCH", f"/{view['id']}", version=2, search="?q=both&x=step").json()["version"] == 3


def test_a_name_is_there_once_among_those_that_are_listed_together(admin: Browser, viewer: Browser) -> None:
    view = admin.save("Best", shared=True).json()
    taken = admin.save("best", shared=True)
    assert (taken.status_code, taken.json()["code"], taken.json()["view"]) == (409, "name_taken", view["id"])
    assert admin.save("best").status_code == 201
    assert viewer.save("best").status_code == 201
    other = admin.save("other", shared=True).json()
    assert admin.ask("PATCH", f"/{other['id']}", version=1, name="BEST").status_code == 409
    assert admin.ask("PATCH", f"/{view['id']}", version=1, name="BEST").status_code == 200


def test_a_private_view_is_its_owners(admin: Browser, viewer: Browser) -> None:
    view = admin.save("secret").json()
    own = viewer.save("own").json()
    assert (admin.names(), viewer.names()) == (["secret"], ["own"])
    unknown = viewer.ask("GET", "/" + "0" * 20)
    for method, body in (("GET", {}), ("PATCH", {"version": 1, "name": "x"}), ("DELETE", {})):
        answer = viewer.ask(method, f"/{view['id']}", **body)
        assert (answer.status_code, answer.json()) == (404, unknown.json()), "nobody else knows that it exists"
    assert viewer.default(view["id"]).json() == unknown.json()
    assert viewer.ask("PATCH", f"/{own['id']}", version=1, name="mine").status_code == 200
    assert admin.ask("GET", f"/{view['id']}").json() == view


def test_a_viewer_sees_the_projects_views_and_changes_none(admin: Browser, viewer: Browser) -> None:
    view = admin.save("ours", shared=True).json()
    assert viewer.listed()["views"] == [{**view, "may_change": False}]
    assert viewer.save("mine", shared=True).status_code == 403
    assert viewer.ask("PATCH", f"/{view['id']}", version=1, name="mine").status_code == 403
    assert viewer.ask("DELETE", f"/{view['id']}").status_code == 403
    assert viewer.default(view["id"], by="project").status_code == 403
    assert viewer.default(view["id"]).status_code == 200, "one's own default is nobody else's"
    assert admin.listed()["default"] == {"mine": None, "project": None}


def test_a_stranger_cannot_tell_what_exists(server: Server, project: int, admin: Browser) -> None:
    view = admin.save("ours", shared=True).json()
    stored = admin.ask("POST", "/addresses", project_id=project, search=SEARCH).json()["id"]
    key, theirs = add_key(server, "strangers")
    limited, _ = add_key(server, "limited strangers", limited=True)
    strangers = [Browser(server, project, person(server, None))]
    strangers += [with_key(server, project, each) for each in (key, limited)]
    for stranger in strangers:
        unknown = stranger.ask("GET", "/" + "0" * 20)
        for method, body in (("GET", {}), ("PATCH", {"version": 1, "name": "x"}), ("DELETE", {})):
            answer = stranger.ask(method, f"/{view['id']}", **body)
            assert (answer.status_code, answer.json()) == (404, unknown.json())
        assert stranger.ask("GET", f"?project_id={project}").status_code == 404
        assert stranger.save("x").status_code == 404
        assert stranger.default(view["id"]).status_code == 404
        assert stranger.ask("GET", f"/addresses/{stored}?project_id={project}").status_code == 404
        assert stranger.ask("POST", "/addresses", project_id=project, search="?q=x").status_code == 404
    assert strangers[1].ask("GET", f"/addresses/{stored}?project_id={theirs}").status_code == 404, "of another project"
    nobody = Browser(server, project, requests.Session())
    assert nobody.ask("GET", f"?project_id={project}").status_code == 401
    assert nobody.ask("GET", f"/{view['id']}").status_code == 401
    assert admin.ask("GET", f"/{view['id']}").json() == view


def test_the_key_of_an_organization_has_the_projects_views_only(server: Server, project: int, admin: Browser) -> None:
    key = with_key(server, project, server.api_key)
    admin.save("private")
    assert key.save("private").status_code == 403
    view = key.save("nightly", shared=True).json()
    assert view["owner"] is None
    assert key.names() == ["nightly"]
    assert key.default(view["id"]).status_code == 403
    assert key.default(view["id"], by="project").json() == {"default": {"mine": None, "project": view["id"]}}
    assert admin.ask("PATCH", f"/{view['id']}", version=1, name="each night").status_code == 200


def test_defaults(admin: Browser, viewer: Browser) -> None:
    shared, private = admin.save("ours", shared=True).json()["id"], admin.save("mine").json()["id"]
    assert admin.default(private, by="project").status_code == 400
    assert admin.default(shared, by="project").status_code == 200
    assert admin.default(private).json() == {"default": {"mine": private, "project": shared}}
    assert viewer.listed()["default"] == {"mine": None, "project": shared}
    assert admin.default(None).json() == {"default": {"mine": None, "project": shared}}
    assert admin.default(private).status_code == 200
    admin.ask("DELETE", f"/{private}")
    admin.ask("DELETE", f"/{shared}")
    assert viewer.listed()["default"] == admin.listed()["default"] == {"mine": None, "project": None}


def test_a_deleted_view_comes_back_as_it_was(server: Server, project: int, admin: Browser, viewer: Browser) -> None:
    member = Browser(server, project, person(server, "member"))
    view = member.save("ours", shared=True, search="?q=of-the-project").json()
    admin.default(view["id"], by="project")
    viewer.default(view["id"])
    link = f"{server.url}/projects/{project}?view={view['id']}"
    unknown = viewer.ask("GET", "/" + "0" * 20).json()
    assert admin.ask("DELETE", f"/{view['id']}").status_code == 200
    for each in (viewer, member, admin):
        answer = each.ask("GET", f"/{view['id']}")
        assert (answer.status_code, answer.json()) == (404, unknown)
        assert each.listed() == {"views": [], "default": {"mine": None, "project": None}}
        assert each.default(view["id"]).status_code == 404
        assert "of-the-project" not in each.session.get(link, timeout=30).text
    assert admin.ask("PATCH", f"/{view['id']}", version=1, name="x").status_code == 404
    assert admin.ask("DELETE", f"/{view['id']}").status_code == 404
    assert viewer.ask("POST", f"/{view['id']}/restore").status_code == 403
    assert admin.ask("POST", f"/{view['id']}/restore").json() == view
    assert "of-the-project" in viewer.session.get(link, timeout=30).text
    assert viewer.listed()["default"] == {"mine": view["id"], "project": view["id"]}
    assert admin.ask("POST", f"/{view['id']}/restore").json() == view, "twice is once"


def test_the_name_of_a_deleted_view_is_free(admin: Browser, viewer: Browser) -> None:
    view = admin.save("Best").json()
    admin.ask("DELETE", f"/{view['id']}")
    assert viewer.ask("POST", f"/{view['id']}/restore").status_code == 404, "it is another person's"
    other = admin.save("best").json()
    taken = admin.ask("POST", f"/{view['id']}/restore")
    assert (taken.status_code, taken.json()["code"], taken.json()["view"]) == (409, "name_taken", other["id"])
    admin.ask("DELETE", f"/{other['id']}")
    assert admin.ask("POST", f"/{view['id']}/restore").status_code == 200
    assert admin.names() == ["Best"]


def test_a_page_opens_with_a_default_and_with_a_stored_address(
    server: Server, project: int, admin: Browser, viewer: Browser
) -> None:
    def page(browser: Browser, query: str = "") -> str:
        return browser.session.get(f"{server.url}/projects/{project}{query}", timeout=30).text

    shared = admin.save("ours-opened", shared=True, search="?q=of-the-project").json()["id"]
    private = admin.save("mine-opened", search="?q=of-mine").json()["id"]
    admin.default(shared, by="project")
    assert "of-the-project" in page(viewer)
    assert "of-the-project" in page(admin)
    admin.default(private)
    assert "of-mine" in page(admin)
    assert "of-mine" not in page(viewer) + page(viewer, f"?view={private}")
    assert "of-mine" not in page(admin, "?q=something-else"), "an address that says something is not the default"
    assert "of-the-project" in page(admin, f"?view={shared}")
    stored = admin.ask("POST", "/addresses", project_id=project, search="?q=stored-away").json()["id"]
    assert "stored-away" in page(viewer, f"?v={stored}")
    assert page(viewer, "?v=nothing") != ""


def test_a_long_address_is_stored_once(admin: Browser, viewer: Browser, project: int) -> None:
    search = "?" + "&".join(f"s={number:020x}" for number in range(2_000))
    ids = {each.ask("POST", "/addresses", project_id=project, search=search).json()["id"] for each in (admin, viewer)}
    assert len(ids) == 1
    [id_] = ids
    assert viewer.ask("GET", f"/addresses/{id_}?project_id={project}").json() == {"id": id_, "search": search}
    assert viewer.ask("GET", f"/addresses/{'0' * 20}?project_id={project}").status_code == 404
    too_long = admin.ask("POST", "/addresses", project_id=project, search="?" + "x" * 300_000)
    assert too_long.status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {"name": "   "},
        {"name": "x" * 300},
        {"search": "q=1"},
        {"search": "?" + "x" * 300_000},
        {"search": 1},
        {"colour": "red"},
        {"shared": "yes"},
    ],
)
def test_what_is_no_view_is_refused(admin: Browser, project: int, body: dict[str, Any]) -> None:
    answer = admin.ask("POST", **{"project_id": project, "name": "n", "search": SEARCH, **body})
    assert (answer.status_code, bool(answer.json()["error"])) == (400, True)
    assert admin.names() == []


def test_another_sites_page_changes_nothing(server: Server, admin: Browser, project: int) -> None:
    body = {"project_id": project, "name": "n", "search": SEARCH}
    forged = admin.session.post(admin.url, json=body, headers={"Origin": "http://elsewhere.example"}, timeout=30)
    assert forged.status_code == 403
    assert admin.session.post(admin.url, data="{}", timeout=30).status_code == 415
    assert admin.names() == []
    for unknown in (10**9, 2**70):
        assert admin.ask("GET", f"?project_id={unknown}").status_code == 404
