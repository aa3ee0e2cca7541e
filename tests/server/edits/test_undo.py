"""Undo: field by field and tag by tag, once, within a day, and nothing of what somebody has changed since."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from losswise_server.db.edit_models import EDIT_KEPT_S

from losswise.protocol import records
from tests.support.batches import Writing
from tests.support.database.rows import database
from tests.support.editing import edit, undo
from tests.support.server import Server

FIELDS = ("tag", "own_tag", "tags", "note", "starred", "archived_at", "deleted_at", "project_id")
SINCE = "it was changed again since"


def fields(run: Writing) -> dict[str, Any]:
    row = run.row()
    return {name: row[name] for name in FIELDS}


@pytest.mark.parametrize("is_edited_before", [False, True])
def test_everything_can_be_undone(server: Server, is_edited_before: bool) -> None:
    runs = [Writing(server, tag=f"run {number}", tags=["a", "b"], project="undo") for number in range(3)]
    Writing(server, project="elsewhere")
    if is_edited_before:
        edit(server, runs[0].session, tag="named", note="old", archived=True, add_tags=["x"], remove_tags=["b"])
        edit(server, runs[1].session, starred=True, deleted=True)
    before = [fields(run) for run in runs]
    done = edit(
        server,
        *(run.session for run in runs),
        tag="new",
        add_tags=["b", "c"],
        remove_tags=["a", "x"],
        note="new",
        starred=True,
        archived=True,
        deleted=True,
        project_id=server.project_id("elsewhere"),
    )
    assert done["changed"] == 3
    after = [fields(run) for run in runs]
    assert all(one["tags"] == ["b", "c"] and one["tag"] == "new" for one in after)
    back = undo(server, done["undo"])
    assert (back["changed"], back["skipped"], len(back["sessions"])) == (3, [], 3)
    assert [fields(run) for run in runs] == before
    assert server.request("POST", f"/api/v2/undo/{done['undo']}").json()["code"] == "unknown_edit"


def test_what_somebody_changed_since_stays(server: Server) -> None:
    first, second, third = (Writing(server, tag="script", tags=["a"]) for _ in range(3))
    done = edit(server, *(run.session for run in (first, second, third)), tag="new", starred=True, add_tags=["x", "y"])
    edit(server, first.session, tag="somebody's", remove_tags=["x"])
    edit(server, second.session, starred=False)  # as it was: nothing is left to undo there
    back = undo(server, done["undo"])
    assert (back["changed"], back["skipped"]) == (3, [{"reason": SINCE, "sessions": 1}])
    rows = [fields(run) for run in (first, second, third)]
    assert [(row["tag"], row["starred"], row["tags"]) for row in rows] == [
        ("somebody's", False, ["a"]),
        ("script", False, ["a"]),
        ("script", False, ["a"]),
    ]


def test_an_undo_after_the_script_has_gone_on(server: Server) -> None:
    run = Writing(server, tag="script", tags=["a", "b"])
    done = edit(server, run.session, tag="mine", add_tags=["c"], remove_tags=["a"])
    run.send(records.session_record(tag="script 2", tags=["a", "c", "d"]))
    assert run.row()["tags"] == ["c", "d"]
    assert undo(server, done["undo"])["changed"] == 1
    row = run.row()
    assert (row["tag"], row["own_tag"], row["tags"]) == ("script 2", None, ["a", "c", "d"])


def test_an_archived_session_that_was_archived_again_stays(server: Server) -> None:
    run = Writing(server)
    done = edit(server, run.session, archived=True)
    edit(server, run.session, archived=False)
    edit(server, run.session, archived=True)
    back = undo(server, done["undo"])
    assert (back["changed"], back["skipped"]) == (0, [{"reason": SINCE, "sessions": 1}])
    assert run.row()["archived_at"] is not None


def test_an_edit_of_a_note_is_undone_as_a_further_one(server: Server) -> None:
    run = Writing(server)
    edit(server, run.session, note="one")
    done = edit(server, run.session, note="two")
    undo(server, done["undo"])
    row = run.row()
    assert (row["note"], row["note_version"]) == ("one", 3)
    found = server.get("/api/v2/sessions", q='note="one"', limit=1_000)["sessions"]
    assert run.session in [one["id"] for one in found]


def test_what_was_deleted_for_good_stays_deleted(server: Server) -> None:
    gone, run = Writing(server), Writing(server)
    done = edit(server, gone.session, run.session, deleted=True)
    assert server.request("DELETE", f"/api/v2/sessions/{gone.session}").status_code == 200
    back = undo(server, done["undo"])
    assert (back["changed"], back["skipped"]) == (1, [{"reason": "there is no such session", "sessions": 1}])
    assert run.row()["deleted_at"] is None


def test_an_edit_is_undone_within_a_day(server: Server) -> None:
    run = Writing(server, tag="script")
    done = edit(server, run.session, tag="mine")
    with database(server) as connection:
        created_at = time.time() - EDIT_KEPT_S - 1
        statement = f"UPDATE edits SET created_at = {created_at!r} WHERE id = '{done['undo']}'"
        assert connection.exec_driver_sql(statement).rowcount == 1
    answer = server.request("POST", f"/api/v2/undo/{done['undo']}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_edit")
    assert run.row()["tag"] == "mine"


def test_of_two_undos_at_once_one_works(server: Server) -> None:
    run = Writing(server)
    for _ in range(5):
        token = edit(server, run.session, starred=True)["undo"]
        with ThreadPoolExecutor(4) as pool:
            answers = pool.map(lambda path: server.request("POST", path).status_code, [f"/api/v2/undo/{token}"] * 4)
        assert sorted(answers) == [200, 404, 404, 404]
        assert run.row()["starred"] is False


def test_no_token_undoes_anything_else(server: Server) -> None:
    for token in ("0" * 20, "x", "%00", "a" * 5_000):
        assert server.request("POST", f"/api/v2/undo/{token}").status_code == 404
