"""The bodies of requests that edit sessions."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, field

from losswise.protocol.limits import INT64_MAX, MAX_NAME_LENGTH

from ..sessions.listing import MAX_NOTE_CHARS
from ..sessions.places import CURRENT

MAX_TAGS = 100  # of one edit
MAX_OFFSET_S = 24 * 3_600

ProjectId = Annotated[int, Meta(ge=0, le=INT64_MAX)]
Tag = Annotated[str, Meta(max_length=MAX_NAME_LENGTH)]
Tags = Annotated[list[Tag], Meta(max_length=MAX_TAGS)]


class Matching(Struct, forbid_unknown_fields=True):
    """The sessions that the list gives for these parameters, but for some.

    Attributes:
        place: `in` of the list.
        excluded: ids of sessions that are left out.
    """

    project_id: ProjectId
    q: str = ""
    status: str | None = None
    place: str = field(default=CURRENT, name="in")
    utc_offset: Annotated[float, Meta(ge=-MAX_OFFSET_S, le=MAX_OFFSET_S)] = 0.0
    excluded: list[str] = field(default_factory=list, name="except")


class Selection(Struct, forbid_unknown_fields=True, kw_only=True):
    """Which sessions: their ids, or what they match."""

    sessions: list[str] | None = None
    matching: Matching | None = None


class PurgeRequest(Selection, kw_only=True):
    """The sessions to delete for good.

    Attributes:
        expected: how many they are, as a person has been told; if they are not so many, nothing is deleted.
    """

    expected: int | None = None


class Edit(Struct, forbid_unknown_fields=True, kw_only=True):
    """What to change. A field that is left out stays as it is.

    Attributes:
        tag: a name for the session; null or blank gives it back the one of its script.
        note_version: of the note that was read; the edit is refused if there is a newer one.
        archived, deleted: whether it is in the archive, and in the bin.
    """

    tag: Tag | UnsetType | None = UNSET
    add_tags: Tags | UnsetType = UNSET
    remove_tags: Tags | UnsetType = UNSET
    note: Annotated[str, Meta(max_length=MAX_NOTE_CHARS)] | UnsetType = UNSET
    note_version: int | UnsetType = UNSET
    starred: bool | UnsetType = UNSET
    archived: bool | UnsetType = UNSET
    deleted: bool | UnsetType = UNSET
    project_id: ProjectId | UnsetType = UNSET


class EditRequest(Selection, kw_only=True):
    edit: Edit
