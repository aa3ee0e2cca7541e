"""`losswise quarantine`: list what could not be delivered, send it again, or delete it."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Any

from losswise.commands.status import no_key
from losswise.delivery.client import Client
from losswise.delivery.pacing import DEFAULT_TIMING, Timing
from losswise.delivery.quarantine_file import Box, Refusal, find_boxes
from losswise.delivery.resend import NotSent, Resent, send_again
from losswise.protocol.records import is_id
from losswise.settings import resolve
from losswise.util.messages import notify
from losswise.util.paths import journal_folders


def quarantine(
    where: str | None = None,
    as_json: bool = False,
    send: bool = False,
    delete: bool = False,
    yes: bool = False,
    timing: Timing = DEFAULT_TIMING,
) -> int:
    """List what is in quarantine, send it again, or delete it.

    Args:
        where: a session's id, a file in quarantine, or a folder of journals; by default this user's usual folders.
        as_json: list it as JSON.
        send: send it to the current server; what that stores leaves the quarantine.
        delete: delete it, after a question.
        yes: do not ask.

    Returns:
        The exit status: 0, or 1 if there is no such place, if something could not be sent or was not deleted.
    """
    boxes = _find(where)
    if boxes is None:
        notify(f"{where} is neither a session's id nor a file in quarantine nor a folder")
        return 1
    if send:
        return _send_all(boxes, timing)
    boxes = [box for box in boxes if box.kept()]
    if delete:
        return _delete_all(boxes, yes)
    if as_json:
        print(json.dumps([_as_json(box, refusal) for box in boxes for refusal in box.kept()], indent=2))
    else:
        _print(boxes)
    return 0


def _find(where: str | None) -> list[Box] | None:
    """The quarantine of the journals that are meant; None if there is no such place."""
    if where is None or is_id(where):
        boxes = [box for folder in journal_folders() if folder.is_dir() for box in find_boxes(folder)]
        return [box for box in boxes if where in (None, box.content.header.session)]
    path = Path(where)
    if path.is_dir():
        return list(find_boxes(path))
    return [box for box in find_boxes(path.parent) if path.name in [file.name for file in box.files()]] or None


# listing


def _print(boxes: list[Box]) -> None:
    if not boxes:
        print("nothing is in quarantine")
    for box in boxes:
        header = box.content.header
        recorded = f", recorded for {header.base_url}" if header.base_url else ""
        print(f"session {header.session or '?'}{recorded}, writer {header.writer or '?'}, in {box.files()[0]}:")
        print(f"  {'record':>10}  {'since':<17}  what, and why the server has not stored it")
        for refusal in sorted(box.kept(), key=_order):
            number = "" if refusal.number is None else f"{refusal.number:,}"
            since = time.strftime("%Y-%m-%d %H:%M", time.localtime(refusal.t)) if refusal.t else ""
            print(f"  {number:>10}  {since:<17}  {_what(refusal)}: {refusal.reason}")
    if boxes:
        print("`losswise quarantine --send` sends it again; `losswise quarantine --delete` deletes it")


def _order(refusal: Refusal) -> tuple[bool, int]:
    return refusal.number is None, refusal.number or 0


def _what(refusal: Refusal) -> str:
    if refusal.image:
        return f"image {refusal.image[:12]}"
    if refusal.segments:
        return f"{refusal.total:,} records in {', '.join(refusal.segments)}"
    return f"{refusal.what} ({refusal.total:,} points)" if refusal.total > 1 else refusal.what


def _as_json(box: Box, refusal: Refusal) -> dict[str, Any]:
    header = box.content.header
    paths = box.paths
    names = [paths.refused_image(refusal.image).name] if refusal.image else refusal.segments
    return {
        "session": header.session,
        "writer": header.writer,
        "base_url": header.base_url or None,
        "number": refusal.number,
        "what": refusal.what,
        "reason": refusal.reason,
        "count": refusal.total,
        "t": refusal.t or None,
        "file": str(paths.folder / (names[0] if names else paths.refused.name)),
        "record": refusal.record,
    }


# sending


def _send_all(boxes: list[Box], timing: Timing) -> int:
    target = resolve()
    # those of which the server only has to be told come too, but not while their journals are being sent
    boxes = [box for box in boxes if box.kept() or not box.paths.segments()]
    if not boxes:
        notify("nothing is in quarantine")
        return 0
    if target.api_key is None:
        notify(no_key(target))
        return 1
    client = Client(target.base_url, target.api_key, timing.response_timeout)
    is_done = True
    with contextlib.closing(client):
        for box in boxes:
            name = f"session {box.content.header.session or box.paths.stem}"
            try:
                resent = send_again(box, client, timing)
            except (NotSent, OSError) as error:
                is_done = False
                notify(f"{name} stays in quarantine: {error}")
                if isinstance(error, NotSent) and error.is_server_lost:
                    break
                continue
            is_done &= not (resent.rejected or resent.unreadable)
            notify(f"{name}: {_describe(resent)}; {target.base_url}/s/{box.content.header.session}")
    return 0 if is_done else 1


def _describe(resent: Resent) -> str:
    """As in "3 records are stored now, 1 was rejected again"."""
    parts = [f"{resent.stored:,} {'record is' if resent.stored == 1 else 'records are'} stored now"]
    if resent.rejected:
        parts.append(f"{resent.rejected:,} {'was' if resent.rejected == 1 else 'were'} rejected again and stay")
    if resent.unreadable:
        parts.append(f"{resent.unreadable:,} cannot be read and stay")
    return ", ".join(parts)


# deleting


def _delete_all(boxes: list[Box], yes: bool) -> int:
    if not boxes:
        print("nothing is in quarantine")
        return 0
    count = sum(len(box.kept()) for box in boxes)
    sessions = len({box.content.header.session for box in boxes})
    what = f"{_records(count)} of {sessions} {'session' if sessions == 1 else 'sessions'}"
    if not yes and not _is_confirmed(f"Delete {what} from quarantine? They are stored nowhere else."):
        notify("nothing was deleted; --yes deletes without a question")
        return 1
    is_done = True
    deleted = 0
    for box in boxes:
        if not box.paths.sending.acquire():
            notify(f"session {box.content.header.session} is being sent; try again when its script has ended")
            is_done = False
            continue
        held = len(box.kept())
        for path in box.files():
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                notify(f"{path} cannot be deleted ({error})")
                is_done, held = False, 0
        deleted += held
        box.paths.sending.release(remove=True)
    print(f"{_records(deleted)} deleted" if deleted else "nothing was deleted")
    return 0 if is_done else 1


def _records(count: int) -> str:
    return f"{count:,} {'record' if count == 1 else 'records'}"


def _is_confirmed(question: str) -> bool:
    if sys.stdin is None or not sys.stdin.isatty():
        return False
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
