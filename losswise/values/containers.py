"""Read the containers of any framework, whose methods may raise anything, return nonsense or never end.

Besides lists and dictionaries these are mappings and sequences such as OmegaConf's, which raise for a missing value and
have all the others, dataclasses, and namespaces. What cannot be read is replaced by text that says so (a Failure).
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from itertools import islice
from types import SimpleNamespace
from typing import Any, NamedTuple

from losswise.util.unreliable import Failure, has, is_a, short, tried

MAX_ENTRIES = 100_000  # read of one container that may be endless
UNREADABLE = "[unreadable by losswise]"  # the key of a Failure in the place of entries that cannot be read

_TEXTS = (str, bytes, bytearray, memoryview)

Items = list[tuple[Any, Any]]


class Contents(NamedTuple):
    """What a container holds.

    Attributes:
        entries: pairs of key and value of a mapping, else the elements; the first ones if there are too many.
        total: how many there are.
        is_mapping, is_set: the kind of container; a sequence is neither.
    """

    entries: Sequence[Any]
    total: int
    is_mapping: bool
    is_set: bool


def contents_of(value: Any, limit: int = MAX_ENTRIES) -> Contents | Failure | None:
    """Return what a container holds, up to `limit` entries.

    Returns:
        A Failure if it cannot be read at all; None if it is not a container, but text, bytes, a range or an object.
    """
    kind = type(value)
    if kind is list or kind is tuple:
        return Contents(value[:limit], len(value), False, False)
    if kind is dict:
        # a list first, made in one step: another thread may change the dictionary meanwhile
        items = list(value.items() if len(value) <= limit else islice(value.items(), limit))
        return Contents(items, len(value), True, False)
    if issubclass(kind, _TEXTS) or kind is range:
        return None
    limit = min(limit, MAX_ENTRIES)
    if is_a(value, (Mapping, Sequence, Set)):
        if is_a(value, Mapping):
            return _contents(value, _items_of(value, limit), limit, is_mapping=True)
        return _contents(value, _elements_of(value, limit), limit, is_set=is_a(value, Set))
    attributes = tried(_attributes_of, value)
    return _contents(attributes, list(attributes.items()), limit, is_mapping=True) if type(attributes) is dict else None


def _contents(
    container: Any, entries: Any, limit: int, is_mapping: bool = False, is_set: bool = False
) -> Contents | Failure:
    if type(entries) is Failure:
        return entries
    total = len(entries)
    if total >= limit and (length := tried(len, container)) != total:
        total = length if type(length) is int and length > total else total + 1  # as many as there are at least
    return Contents(entries, total, is_mapping, is_set)


def _attributes_of(value: Any) -> dict[str, Any] | None:
    """Return the attributes of an instance of a dataclass, or of a namespace; None for other objects."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: tried(getattr, value, field.name) for field in fields(value)}
    # that of argparse is found by its name: importing it takes time, and other packages have one of their own
    names = [base.__name__ for base in type(value).__mro__]
    return dict(vars(value)) if "Namespace" in names or isinstance(value, SimpleNamespace) else None


def to_dict(value: Any) -> dict[Any, Any]:
    """Return a mapping, or pairs of key and value, as a dictionary; None is empty. `dict` raises where one value does.

    Raises:
        TypeError, ValueError: it is neither.
    """
    if value is None:
        return {}
    if type(value) is dict:
        return dict(value)
    if not (is_a(value, Mapping) or has(value, "keys")):
        return dict(islice(value, MAX_ENTRIES))
    items = _items_of(value, MAX_ENTRIES)
    found: dict[Any, Any] = {}
    for key, item in items if isinstance(items, list) else [(UNREADABLE, items)]:
        if type(tried(found.__setitem__, key, item)) is Failure:  # a key that cannot be one of a dictionary
            name = short(key)
            found[name if name not in found else f"{name} ({len(found) + 1})"] = item
    return found


def to_list(value: Iterable[Any], limit: int = MAX_ENTRIES) -> list[Any]:
    """Return the elements of a collection, at most `limit`. One that cannot be read is replaced by a Failure."""
    elements = _elements_of(value, limit)
    return [elements] if type(elements) is Failure else list(elements)


def _items_of(mapping: Any, limit: int) -> Items | Failure:
    """Return keys and values of a mapping."""
    items: Items | Failure = tried(_first_items, mapping, limit)
    if type(items) is Failure:
        items = _items_by_key(mapping, limit)
    if type(items) is Failure and issubclass(type(mapping), dict):
        items = tried(lambda: list(islice(dict.items(mapping), limit)))
    return items


def _first_items(mapping: Any, limit: int) -> Items:
    return [(key, value) for key, value in islice(mapping.items(), limit)]


def _items_by_key(mapping: Any, limit: int) -> Items | Failure:
    """Read a mapping key by key, since one of its values raises."""
    found: Items = []
    keys = tried(lambda: iter(mapping.keys()))
    keys = tried(iter, mapping) if type(keys) is Failure else keys
    while type(keys) is not Failure and len(found) < limit:
        key = tried(next, keys, found)  # `found` marks the end
        if key is found:
            return found
        if type(key) is Failure:
            keys = key
        else:
            found.append((key, tried(operator.getitem, mapping, key)))
    if type(keys) is not Failure:
        return found
    return [*found, (UNREADABLE, keys)] if found else keys


def _elements_of(collection: Any, limit: int) -> Sequence[Any] | Failure:
    """Return the elements of a sequence, a set or another iterable."""
    kind = type(collection)
    if not is_a(collection, (Sequence, Set)):
        return _one_by_one(collection, limit)
    elements: Sequence[Any] | Failure = tried(_first, collection, limit)
    if type(elements) is Failure and is_a(collection, Sequence):
        elements = _elements_by_index(collection, limit, elements)
    for base in (list, tuple, set, frozenset):
        if type(elements) is Failure and issubclass(kind, base):
            elements = tried(_first, base.__iter__(collection), limit)
    return elements


def _first(collection: Iterable[Any], limit: int) -> list[Any]:
    return list(islice(collection, limit))


def _one_by_one(iterable: Any, limit: int) -> Sequence[Any] | Failure:
    """Return what an iterator gives until it raises, and then the failure."""
    found: list[Any] = []
    iterator = tried(iter, iterable)
    while type(iterator) is not Failure and len(found) < limit:
        element = tried(next, iterator, found)  # `found` marks the end
        if element is found:
            break
        found.append(element)
        if type(element) is Failure:
            break
    return iterator if type(iterator) is Failure else found


def _elements_by_index(sequence: Any, limit: int, failure: Failure) -> Sequence[Any] | Failure:
    """Read a sequence by index, since one of its elements raises. `failure` is returned if it has no length."""
    length = tried(len, sequence)
    if type(length) is not int:
        return failure
    found = []
    for index in range(min(length, limit)):
        element = tried(operator.getitem, sequence, index)
        if type(element) is Failure and element == "<IndexError>":  # it is shorter than it says
            break
        found.append(element)
    return found
