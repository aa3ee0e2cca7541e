"""Names and tags: what a script records and what people change keep apart, whatever comes first."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from losswise_server.sessions import labels

TAGS = st.lists(st.sampled_from("abcd"), unique=True, max_size=4)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("record"), TAGS),
        st.tuples(st.just("add"), TAGS),
        st.tuples(st.just("remove"), TAGS),
    ),
    max_size=8,
)


def new_row(**columns: Any) -> dict[str, Any]:
    return {"tag": "script", "own_tag": None, "tags": [], "tag_edits": {}, **columns}


def apply(row: dict[str, Any], step: str, tags: list[str]) -> None:
    if step == "record":
        row.update(labels.with_recorded_tags(row, tags))
    else:
        add, remove = (tags, []) if step == "add" else ([], tags)
        row.update(labels.with_tag_states(row, labels.edited_tag_states(row, add, remove)))


# removed again, while the script does not have it
@example([("record", ["a"]), ("remove", ["a"]), ("record", []), ("remove", ["a"]), ("record", ["a"])])
@given(STEPS)
def test_the_tags_are_the_scripts_without_those_removed_and_with_those_added(
    steps: list[tuple[str, list[str]]],
) -> None:
    row = new_row()
    own: list[str] = []
    added: list[str] = []
    removed: set[str] = set()
    for step, tags in steps:
        apply(row, step, tags)
        if step == "record":
            own = tags
        elif step == "add":
            added += [tag for tag in tags if tag not in own and tag not in added]
            removed -= set(tags)
        else:
            added = [tag for tag in added if tag not in tags]
            removed |= set(tags) & set(own)
        # a tag that is removed is not added as well
        shown = [tag for tag in own if tag not in removed]
        assert row["tags"] == [*shown, *(tag for tag in added if tag not in shown)]
        assert labels.own_tags(row) == own


def test_a_tag_that_was_added_and_is_removed_leaves_no_trace() -> None:
    row = new_row(tags=["a"])
    apply(row, "add", ["b", "a"])
    assert (row["tags"], row["tag_edits"]) == (["a", "b"], {"own": ["a"], "added": ["b"], "removed": []})
    apply(row, "remove", ["b", "c"])
    assert (row["tags"], row["tag_edits"]) == (["a"], {})


def test_a_name_that_people_gave_stays_until_they_take_it_back() -> None:
    row = new_row()
    for given_name in ("first", "second"):
        row.update(labels.with_given_tag(row, given_name))
        assert (row["tag"], row["own_tag"], labels.given_tag(row)) == (given_name, "script", given_name)
    row.update(labels.with_recorded_tag(row, "script, again"))
    assert (row["tag"], row["own_tag"]) == ("second", "script, again")
    row.update(labels.with_given_tag(row, None))
    assert (row["tag"], row["own_tag"], labels.given_tag(row)) == ("script, again", None, None)
    row.update(labels.with_recorded_tag(row, "third"))
    assert (row["tag"], row["own_tag"]) == ("third", None)
