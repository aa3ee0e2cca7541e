"""Use objects of the user, whose methods may raise anything or return nonsense."""

from __future__ import annotations

import reprlib
from collections.abc import Callable
from typing import Any

# What the user or the system wants: it is never taken for an error of an object
PASSED_ON = (KeyboardInterrupt, SystemExit)
MAX_TYPE_NAME_LENGTH = 100
MAX_SHORT_LENGTH = 80

_repr = reprlib.Repr()
_repr.maxlevel = 2
_repr.maxstring = _repr.maxother = 60
# what `type` itself says: a metaclass may have a `__name__` of its own
_name_of_type = type.__dict__["__name__"].__get__


class Failure(str):
    """The text in place of a value that cannot be read: the name of the exception's type in angle brackets."""

    __slots__ = ()


def tried(function: Callable[..., Any], *args: Any) -> Any:
    """Return `function(*args)`, or a Failure if that raises anything but KeyboardInterrupt and SystemExit."""
    try:
        return function(*args)
    except PASSED_ON:
        raise
    except BaseException as error:  # extension modules raise more than Exception, such as a PanicException
        return Failure(f"<{type_name(error)}>")


def is_a(value: Any, kind: Any) -> bool:
    """Return `isinstance(value, kind)`; False if the value's own `__class__` raises."""
    return tried(isinstance, value, kind) is True


def has(value: Any, name: str) -> bool:
    """Return whether a value has an attribute that can be read."""
    return tried(hasattr, value, name) is True


def type_name(value: Any) -> str:
    """Return the name of a value's type, whatever its metaclass says."""
    return str(_name_of_type(type(value)))[:MAX_TYPE_NAME_LENGTH]


def short(value: Any) -> str:
    """Return a value as one line for a message: its `repr`, shortened, or the name of its type if that raises."""
    text = tried(_repr.repr, value)
    if type(text) is Failure:
        return f"a {type_name(value)}"
    text = " ".join(text.split())
    return text if len(text) <= MAX_SHORT_LENGTH else text[:60] + "…"
