"""Editing sessions: each field, what the script records afterwards, and the places where sessions are."""

from __future__ import annotations

import time
from typing import Any

import pytest

from losswise.protocol import records
from tests.support.batches import Writing
from tests.support.editing import edit, post
from tests.support.server import Server


def listed(server: Server, project: str, **params: Any) -> list[str]:
    page = server.get("/api/v2/sessions", project=project, **{"sort": "tag", **params})
    assert page["total"] == len(page["sessions"]) == sum(page["counts"].values())
    return [session["tag"] for session in page["sessions"]]


def test_a_session_that_nobody_has_edited(server: Server) -> None:
    row = Writing(server, tag="untouched", tags=["a"]).row()
    edited = ("own_tag", "note", "note_version", "starred", "archived_at", "deleted_at")
    assert [row[name] for name in edited] == [None, "", 0, False, None, None]


def test_the_next_record_of_the_script_does_not_undo_a_rename(server: Server) -> None:
    run = Writing(server, tag="script")
    before = run.row()["version"]
    done = edit(server, run.session, tag="  mine ")
    assert (done["matched"], done["changed"], done["skipped"]) == (1, 1, [])
    assert [(row["tag"], row["own_tag"], row["version"]) for row in done["sessions"]] == [
        ("mine", "script", before + 1)
    ]
    run.send(records.session_record(tag="script 2", group="g"))
    row = run.row()
    assert (row["tag"], row["own_tag"], row["group"]) == ("mine", "script 2", "g")
    for word in ("mine", "script 2", "group=g"):  # both names can be searched for
        assert run.session in [found["id"] for found in server.get("/api/v2/sessions", q=f"{word}")["sessions"]]
    assert edit(server, run.session, tag=None)["sessions"][0]["tag"] == "script 2"
    run.send(records.session_record(tag="script 3"))
    row = run.row()
    assert (row["tag"], row["own_tag"]) == ("script 3", None)


def test_the_next_record_of_the_script_does_not_undo_tags(server: Server) -> None:
    run = Writing(server, tags=["one", "two"])
    edit(server, run.session, add_tags=["mine", "two"], remove_tags=["one", "nothing"])
    assert run.row()["tags"] == ["two", "mine"]
    run.send(records.session_record(tags=["three", "one", "mine"]))
    assert run.row()["tags"] == ["three", "mine"]
    edit(server, run.session, remove_tags=["mine"], add_tags=["one"])
    assert run.row()["tags"] == ["three", "one"]
    found = server.get("/api/v2/sessions", q='tags=one tags=three not tags=mine "three"')["sessions"]
    assert run.session in [row["id"] for row in found]


def test_a_v1_client_does_not_undo_an_edit(server: Server) -> None:
    made = server.request("POST", "/api/v1/sessions", json={"tag": "v1", "max_iter": 3, "params": {"a": 1}}).json()
    session = made["session_id"]
    edit(server, session, tag="renamed", add_tags=["t"], note="seen", deleted=True)
    graph = server.request("POST", "/api/v1/graphs", json={"session_id": session, "title": "g"}).json()["graph_id"]
    point = {"session_id": session, "graph_id": graph, "x": 1, "y": {"a": 1.0}, "time": 1}
    assert server.request("POST", "/api/v1/point-list", json={"point_list": [point]}).json()["success"]
    row = server.session(session)
    assert (row["tag"], row["tags"], row["note"], row["points"]) == ("renamed", ["t"], "seen", 1)


def test_notes(server: Server) -> None:
    run = Writing(server, project="notes")
    long = "Diverged at NIGHT.\n" + "x" * 5_000
    done = edit(server, run.session, note=long, note_version=0)
    assert len(done["sessions"][0]["note"]) == 300
    row = run.row()
    assert (row["note"], row["note_version"]) == (long, 1)
    [found] = server.get("/api/v2/sessions", project="notes", q='"diverged at night" has(note)')["sessions"]
    assert (len(found["note"]), found["note"][:18], found["note_version"]) == (300, "Diverged at NIGHT.", 1)
    run.points(run.graph(), [1], a=[1.0])  # what the script sends keeps it searchable
    assert server.get("/api/v2/sessions", project="notes", q="night")["total"] == 1
    assert edit(server, run.session, note=long)["changed"] == 0
    assert edit(server, run.session, note="")["changed"] == 1
    assert (run.row()["note"], run.row()["note_version"]) == ("", 2)
    assert server.get("/api/v2/sessions", project="notes", q="night or has(note)")["total"] == 0


def test_two_edits_of_one_note(server: Server) -> None:
    run = Writing(server)
    edit(server, run.session, note="first", note_version=0)
    body = {"sessions": [run.session], "edit": {"note": "second", "note_version": 0, "starred": True}}
    answer = post(server, "/sessions/edits", body)
    assert answer.status_code == 409
    told = answer.json()
    assert (told["code"], told["note"], told["note_version"]) == ("note_changed", "first", 1)
    assert "changed the note meanwhile" in told["error"]
    row = run.row()
    assert (row["note"], row["starred"]) == ("first", False)
    assert edit(server, run.session, note="second", note_version=1)["sessions"][0]["note_version"] == 2


def test_archive_and_bin(server: Server) -> None:
    project = "places"
    runs = {name: Writing(server, tag=name, project=project) for name in ("a", "b", "c", "d")}
    for name, number in (("a", 1.0), ("b", 2.0), ("c", 3.0)):
        runs[name].points(runs[name].graph(), [0], loss=[number])
    runs["b"].end("failed")
    began = time.time()
    edit(server, runs["a"].session, runs["b"].session, archived=True)
    edit(server, runs["b"].session, deleted=True)
    edit(server, runs["c"].session, deleted=True)
    assert listed(server, project) == ["d"]
    assert listed(server, project, **{"in": "current"}) == ["d"]
    assert listed(server, project, **{"in": "archive"}) == ["a"]
    assert listed(server, project, **{"in": "bin"}) == ["b", "c"]
    assert listed(server, project, sort="-deleted_at", **{"in": "bin"}) == ["c", "b"]
    page = server.get("/api/v2/sessions", project=project, best=["min(loss)", "max(loss)"], **{"in": "bin"})
    assert page["best"] == {"min(loss)": 2.0, "max(loss)": 3.0}
    assert page["counts"]["failed"] == 1
    [entry] = [entry for entry in server.get("/api/v2/projects")["projects"] if entry["name"] == project]
    assert entry["sessions"] == 1
    row = runs["b"].row()  # can be opened by its id
    assert began <= row["archived_at"] <= row["deleted_at"] <= time.time()
    # archived again it is archived since when it was; out of the bin it is in the archive
    assert edit(server, runs["b"].session, archived=True)["changed"] == 0
    edit(server, runs["b"].session, runs["c"].session, deleted=False)
    assert listed(server, project, **{"in": "archive"}) == ["a", "b"]
    assert listed(server, project) == ["c", "d"]
    answer = server.request("GET", "/api/v2/sessions", params={"in": "attic"})
    assert (answer.status_code, answer.json()["error"]) == (400, "'in' is current, archive or bin, not 'attic'")


def test_a_script_goes_on_recording_in_the_bin(server: Server) -> None:
    run = Writing(server, tag="in the bin", project="going on")
    graph = run.graph()
    edit(server, run.session, deleted=True)
    run.points(graph, [0, 1], a=[1.0, 2.0])
    run.end()
    row = run.row()
    assert (row["status"], row["points"], row["deleted_at"] is None) == ("complete", 2, False)
    assert server.points(graph)["a"]["y"] == [1.0, 2.0]
    assert listed(server, "going on") == []


def test_sessions_that_match(server: Server) -> None:
    project = "matching"
    runs = [Writing(server, tag=f"run {number}", project=project, params={"n": number}) for number in range(6)]
    runs[5].end()
    matching = {"project_id": server.project_id(project), "q": "n>=2", "status": "active", "except": [runs[3].session]}
    answer = post(server, "/sessions/edits", {"matching": matching, "edit": {"starred": True}}).json()
    assert (answer["matched"], answer["changed"], answer["skipped"]) == (2, 2, [])
    assert listed(server, project, q="starred=true") == ["run 2", "run 4"]
    assert listed(server, project, q="not starred=true n>1") == ["run 3", "run 5"]
    edit(server, runs[0].session, deleted=True)
    matching = {"project_id": server.project_id(project), "in": "bin"}
    answer = post(server, "/sessions/edits", {"matching": matching, "edit": {"deleted": False, "starred": True}}).json()
    assert (answer["matched"], answer["changed"]) == (1, 1)
    rows = server.get("/api/v2/sessions", project=project, sort="-starred")["sessions"]
    assert [row["starred"] for row in rows] == [True] * 3 + [False] * 3


def test_what_is_so_already_is_not_changed(server: Server) -> None:
    run = Writing(server, tag="same", tags=["a"])
    version = run.row()["version"]
    edits: list[dict[str, Any]] = [
        *({"tag": "same"}, {"tag": None}, {"add_tags": ["a"]}, {"remove_tags": ["b"]}, {"starred": False}),
        *({"archived": False, "deleted": False}, {"note": ""}, {"project_id": server.project_id()}),
    ]
    for fields in edits:
        done = edit(server, run.session, run.session, **fields)
        assert (done["matched"], done["changed"], done["undo"], done["sessions"]) == (1, 0, None, []), fields
    assert run.row()["version"] == version


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"edit": {"starred": True}}, "either 'sessions' or"),
        ({"sessions": [], "matching": {"project_id": 1}, "edit": {"starred": True}}, "either 'sessions' or"),
        ({"sessions": ["0" * 20]}, "'edit' is missing"),
        ({"sessions": ["0" * 20], "edit": {}}, "names nothing to change"),
        ({"sessions": ["0" * 20], "edit": {"colour": 1}}, "there is no field 'colour' in 'edit'"),
        ({"sessions": ["0" * 20], "edit": {"starred": True}, "more": 1}, "there is no field 'more'"),
        ({"sessions": ["0" * 20], "edit": {"starred": "yes"}}, "'starred' must be true or false, not text"),
        ({"sessions": ["0" * 20], "edit": {"note": None}}, "'note' must be text, not null"),
        ({"sessions": ["0" * 20], "edit": {"note": "x" * 10_001}}, "'note' has at most 10,000 characters"),
        ({"sessions": ["0" * 20], "edit": {"tag": "x" * 501}}, "'tag' has at most 500 characters"),
        ({"sessions": ["0" * 20], "edit": {"add_tags": ["x"] * 101}}, "'add_tags' has at most 100 entries"),
        ({"sessions": ["0" * 20], "edit": {"add_tags": [5]}}, "a value of 'add_tags' must be text"),
        ({"sessions": ["0" * 20], "edit": {"add_tags": [" "]}}, "a tag in 'add_tags' is blank"),
        ({"sessions": ["0" * 20], "edit": {"add_tags": ["a"], "remove_tags": ["a"]}}, "both in 'add_tags' and"),
        ({"sessions": ["0" * 20], "edit": {"note_version": 1}}, "'note_version' goes with"),
        ({"sessions": ["0" * 20, "1" * 20], "edit": {"note": "x", "note_version": 1}}, "of a single session"),
        ({"matching": {}, "edit": {"starred": True}}, "'project_id' is missing"),
        ({"matching": {"project_id": 1, "in": "attic"}, "edit": {"starred": True}}, "'in' is current, archive or bin"),
        ({"matching": {"project_id": 1, "status": "done"}, "edit": {"starred": True}}, "'status' is one of"),
        ({"matching": {"project_id": 1, "q": "lr<="}, "edit": {"starred": True}}, "a value is missing"),
        ({"matching": {"project_id": 1, "utc_offset": 1e9}, "edit": {"starred": True}}, "'utc_offset' must be at most"),
        ([], "must be an object"),
    ],
)  # fmt: skip
def test_a_body_that_makes_no_sense(server: Server, body: Any, words: str) -> None:
    answer = post(server, "/sessions/edits", body)
    assert answer.status_code == 400, answer.text
    assert words in answer.json()["error"]


def test_bodies_that_are_not_json(server: Server) -> None:
    for data in (b"", b"{", b"\xff"):
        answer = server.request("POST", "/api/v2/sessions/edits", data=data)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_json")
    answer = server.request("POST", "/api/v2/sessions/edits", data=b" " * (4 * 1024 * 1024 + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_session_has_a_bounded_number_of_tags(server: Server) -> None:
    run = Writing(server, tags=[f"own {number}" for number in range(950)])
    other = Writing(server)
    tags = [f"tag {number}" for number in range(60)]
    answer = post(server, "/sessions/edits", {"sessions": [run.session], "edit": {"add_tags": tags}})
    assert (answer.status_code, answer.json()["error"]) == (400, "a session has at most 1,000 tags")
    done = edit(server, run.session, other.session, add_tags=tags)
    assert (done["changed"], done["skipped"]) == (1, [{"reason": "a session has at most 1,000 tags", "sessions": 1}])
    assert len(other.row()["tags"]) == 60


@pytest.mark.parametrize("text", ["nul\0 and \ud800", "é🎉 'quoted' \"double\" \\ %s \u2028 {}", "x" * 500])
def test_any_text_can_be_stored(server: Server, text: str) -> None:
    run = Writing(server)
    done = edit(server, run.session, tag=text, note=text, add_tags=[text])
    stored = records.storable_text(text)
    row = run.row()
    assert (row["tag"], row["note"], row["tags"]) == (stored, stored, [stored])
    assert done["sessions"][0]["tag"] == stored
