"""Convert anything to text that a server stores: names, texts, descriptions of values and errors. Never raises."""

from __future__ import annotations

import hashlib
import reprlib
import traceback
from collections.abc import Callable, Container, Mapping
from itertools import islice
from typing import Any

from losswise.protocol.limits import MAX_NAME_LENGTH
from losswise.util.guard import guarded
from losswise.util.messages import notify_once
from losswise.util.unreliable import Failure, is_a, tried, type_name
from losswise.values.containers import to_dict

MAX_TEXT_LENGTH = 100_000  # characters
MAX_BYTES_SHOWN = 200
MAX_INT_BITS = 340  # about a hundred digits; JSON encoders refuse an int of thousands
MAX_ERROR_FIELDS = 20
MAX_ENTRIES_SHOWN = 1_000  # of a container, with those of the containers in it

_CONTAINERS = (list, tuple, dict, set, frozenset)


def to_text(value: str, max_length: int = MAX_TEXT_LENGTH) -> str:
    """Return the text without what cannot be stored (lone surrogates, NUL), cut with a note after `max_length`."""
    value = str.__str__(value)  # of an instance of a subclass
    length = len(value)
    if length > max_length:
        note = f"\n… [cut by losswise: {length} characters]"
        value = value[: max(0, max_length - len(note))] + note
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode("utf-8")
    return value.replace("\0", "\ufffd") if "\0" in value else value


def to_name(value: Any) -> str:
    """Return the value as text that can name a graph, a metric, a param or the like.

    A name of more than MAX_NAME_LENGTH characters is cut, with one message. It ends in a hash of the whole, so that two
    long names that differ at their ends stay two.
    """
    if type(value) is str and len(value) <= MAX_NAME_LENGTH and value.isascii() and "\0" not in value:
        return value
    text: str = str.__str__(value) if issubclass(type(value), str) else describe(value)
    if len(text) <= MAX_NAME_LENGTH:
        return to_text(text)
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    name = to_text(f"{text[: MAX_NAME_LENGTH - len(digest) - 1]}…{digest}")
    notify_once("long names", f"names of more than {MAX_NAME_LENGTH} characters are cut, such as {name[:40]!r}…")
    return name


def one_of(value: Any, known: Container[str]) -> str | None:
    """Return the one of the known words that the value is; None if it is another one, or not text."""
    text = str.__str__(value) if issubclass(type(value), str) else ""
    return text if text in known else None


def describe(value: Any, max_length: int = MAX_TEXT_LENGTH) -> str:
    """Return any value as text: its `str`; or, where that raises, one that says so, as in `<Config: ValueError>`."""
    kind = type(value)
    if issubclass(kind, (bytes, bytearray, memoryview)):
        return _describe_bytes(value)
    if issubclass(kind, int) and int.bit_length(value) > MAX_INT_BITS:
        return f"<int of {int.bit_length(value)} bits>"
    text = tried(_BoundedRepr().repr if issubclass(kind, _CONTAINERS) else str, value)
    return f"<{type_name(value)}: {text[1:]}" if type(text) is Failure else to_text(text, max_length)


class _BoundedRepr(reprlib.Repr):
    """The `repr` of a container up to a number of entries: a few lists in each other can have any number of them."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 20
        self.maxtuple = self.maxlist = self.maxset = self.maxfrozenset = self.maxdict = MAX_ENTRIES_SHOWN
        self.maxstring = self.maxlong = self.maxother = MAX_TEXT_LENGTH
        self._left = MAX_ENTRIES_SHOWN

    def repr1(self, x: Any, level: int) -> str:
        self._left -= 1
        return "..." if self._left < 0 else str(tried(super().repr1, x, level))


def _describe_bytes(value: Any) -> str:
    start = tried(lambda: bytes(memoryview(value)[:MAX_BYTES_SHOWN]))
    if type(start) is Failure:  # a view that was released, for example
        return f"<{type_name(value)}: {start[1:]}"
    size = memoryview(value).nbytes
    return repr(start) if size <= MAX_BYTES_SHOWN else f"{start!r}… [cut by losswise: {size} bytes]"


@guarded("describing an error")
def describe_exception(error: BaseException | Mapping[str, Any] | None) -> dict[str, str] | None:
    """Return an exception, or a mapping that describes it already, as the error of a status record.

    That has `type`, `message` and `traceback`, empty where the exception's own code raises. None stays None.
    """
    if error is None:
        return None
    if is_a(error, Mapping):
        return {to_name(key): describe(value) for key, value in islice(to_dict(error).items(), MAX_ERROR_FIELDS)}
    if not is_a(error, BaseException):
        return {"type": "", "message": describe(error), "traceback": ""}
    return {
        "type": type_name(error),
        "message": _text_or_nothing(str, error),
        "traceback": _text_or_nothing(lambda error: "".join(traceback.format_exception(error)), error),
    }


def _text_or_nothing(convert: Callable[[Any], str], error: Any) -> str:
    text = tried(convert, error)
    return "" if type(text) is Failure else to_text(text)
