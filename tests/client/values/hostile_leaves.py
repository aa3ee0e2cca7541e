"""Values that raise, lie or never end."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import itertools
import types
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any
from unittest import mock

import numpy as np
import pytest


class Panic(BaseException):
    """What extension modules raise: not an Exception."""


def broken(error: BaseException) -> Callable[..., Any]:
    """A method that raises."""

    def method(*args: Any) -> Any:
        raise error

    return method


def with_methods(**methods: Any) -> Any:
    """An object of a class with these attributes."""
    return type("Hostile", (), methods)()


class Pairs(Mapping[Any, Any]):
    """A mapping of keys that need not be hashable. An exception as a value is raised by whoever reads it."""

    def __init__(self, *pairs: tuple[Any, Any]) -> None:
        self.pairs = pairs

    def __getitem__(self, key: Any) -> Any:
        value = next(value for known, value in self.pairs if known is key)
        if isinstance(value, BaseException):
            raise value
        return value

    def __iter__(self) -> Iterator[Any]:
        return iter([key for key, _value in self.pairs])

    def __len__(self) -> int:
        return len(self.pairs)


class Unreadable(Mapping[str, Any]):
    __getitem__ = __iter__ = __len__ = items = keys = broken(RuntimeError("not now"))


class Endless(Sequence[int]):
    def __getitem__(self, index: Any) -> Any:
        return index

    def __len__(self) -> int:
        return 10**15


class Short(Sequence[int]):
    """Shorter than it says."""

    def __getitem__(self, index: Any) -> Any:
        return [1, 2][index]

    def __len__(self) -> int:
        return 10**9


class EndlessMapping(Mapping[int, int]):
    def __getitem__(self, key: int) -> int:
        return key

    def __iter__(self) -> Iterator[int]:
        return itertools.count()

    def __len__(self) -> int:
        return 1


class EndlessSet(Set[int]):
    def __contains__(self, value: object) -> bool:
        return True

    def __iter__(self) -> Iterator[int]:
        return itertools.count()

    def __len__(self) -> int:
        return 3


class BrokenDict(dict[Any, Any]):
    items = keys = __iter__ = __len__ = __getitem__ = broken(ValueError("no"))


class BrokenList(list[Any]):
    __iter__ = __len__ = __getitem__ = broken(ValueError("no"))


class BrokenText(str):
    __str__ = __repr__ = __len__ = __getitem__ = encode = isascii = broken(ValueError("no"))
    __hash__ = str.__hash__


class BrokenNumber(float):
    __float__ = __repr__ = __eq__ = __lt__ = __hash__ = is_integer = broken(ValueError("no"))


class BrokenInt(int):
    __int__ = __index__ = __repr__ = __eq__ = __lt__ = __ge__ = __hash__ = broken(ValueError("no"))


class Meta(type):
    __name__ = property(broken(ValueError("no")))
    __hash__ = __eq__ = __repr__ = broken(ValueError("no"))


class OfMeta(metaclass=Meta):
    pass


@dataclasses.dataclass
class Config:
    rate: float
    broken: Any = 1

    def __getattribute__(self, name: str) -> Any:
        if name == "broken":
            raise LookupError(name)
        return object.__getattribute__(self, name)


def around_itself() -> list[Any]:
    values: list[Any] = []
    values.extend([values] * 10)
    return values


def around_itself_by_name() -> dict[str, Any]:
    values: dict[str, Any] = {}
    values.update({f"k{number}": values for number in range(10)})
    return values


def deep() -> list[Any]:
    values: list[Any] = []
    for _ in range(20_000):
        values = [values]
    return values


def wide() -> list[Any]:
    """10 to the power of 30 entries, of ten lists that are used again and again."""
    values: list[Any] = [1]
    for _ in range(30):
        values = [values] * 10
    return values


def released() -> memoryview:
    view = memoryview(b"abc")
    view.release()
    return view


def omegaconf(part: str) -> Any:
    """A config, or a list, of OmegaConf with a value that is missing and one that refers to nothing."""
    module = pytest.importorskip("omegaconf")
    config = {"fine": 1, "missing": "???", "bad": "${nothing}", "inner": {"list": [1, "${nothing}"]}}
    return module.OmegaConf.create({"config": config, "list": [1, "${nothing}", "???", {"fine": 1}]})[part]


LARGE = [0.5] * 5_000_000  # 40 MB, made once

LEAVES: dict[str, Callable[[], Any]] = {
    "repr raises": lambda: with_methods(__repr__=broken(RuntimeError("no"))),
    "str panics": lambda: with_methods(__str__=broken(Panic()), __repr__=broken(Panic())),
    "getattr raises": lambda: with_methods(__getattr__=broken(RuntimeError("no"))),
    "getattr panics": lambda: with_methods(__getattr__=broken(Panic())),
    "getattribute raises": lambda: with_methods(__getattribute__=broken(KeyError("no"))),
    "class raises": lambda: with_methods(__class__=property(broken(RuntimeError("no")))),
    "every attribute is itself": lambda: with_methods(__getattr__=lambda self, name: self),
    "float raises": lambda: with_methods(__float__=broken(RuntimeError("no"))),
    "float is text": lambda: with_methods(__float__=lambda self: "1.0"),
    "index raises": lambda: with_methods(__index__=broken(RuntimeError("no"))),
    "index is huge": lambda: with_methods(__index__=lambda self: 10**5_000),
    "bool and eq raise": lambda: with_methods(
        __bool__=broken(ValueError("no")), __eq__=broken(ValueError("no")), __hash__=broken(ValueError("no"))
    ),
    "shape raises": lambda: with_methods(shape=property(broken(RuntimeError("no"))), tolist=lambda self: [1]),
    "shape lies": lambda: with_methods(shape=("a", -1), tolist=lambda self: [1]),
    "shape is small": lambda: with_methods(shape=(2,), tolist=lambda self: list(range(1_000_000))),
    "tolist is endless": lambda: with_methods(shape=(2,), tolist=lambda self: itertools.repeat(1)),
    "tolist is itself": lambda: with_methods(shape=(2,), tolist=lambda self: self),
    "detach raises": lambda: with_methods(detach=broken(RuntimeError("no")), clone=broken(RuntimeError("no"))),
    "metaclass": OfMeta,
    "class of a metaclass": lambda: OfMeta,
    "mapping with a missing value": lambda: Pairs(("fine", 1), ("bad", LookupError("no"))),
    "unreadable mapping": Unreadable,
    "endless mapping": EndlessMapping,
    "endless sequence": Endless,
    "short sequence": Short,
    "endless set": EndlessSet,
    "endless iterator": itertools.count,
    "broken dictionary": lambda: BrokenDict(a=1),
    "broken list": lambda: BrokenList([1, 2]),
    "broken text": lambda: BrokenText("text"),
    "broken float": lambda: BrokenNumber(0.5),
    "broken int": lambda: BrokenInt(3),
    "mocked dictionary": lambda: mock.Mock(spec=dict),
    "mocked text": lambda: mock.Mock(spec=str),
    "mock": mock.MagicMock,
    "dataclass": lambda: Config(0.1),
    "namespace": lambda: types.SimpleNamespace(fine=1, bad=with_methods(__repr__=broken(RuntimeError("no")))),
    "namespace of argparse": lambda: argparse.Namespace(fine=1, bad=10**5_000),
    "two keys with one text": lambda: {1: "a", "1": "b"},
    "keys without text": lambda: {with_methods(__str__=broken(ValueError("no"))): number for number in range(2)},
    "int of 5,000 digits": lambda: 10**5_000,
    "int of 90 digits": lambda: 10**90,
    "int of 90 digits, negative": lambda: -(10**90),
    "not finite": lambda: [float("nan"), float("inf"), -float("inf")],
    "complex": lambda: 1j,
    "around itself": around_itself,
    "around itself by name": around_itself_by_name,
    "deep": deep,
    "wide": wide,
    "lone surrogate and NUL": lambda: "a\ud800b\0c",
    "bytes": lambda: b"\xff" * 10_000_000,
    "released bytes": released,
    "40 MB of numbers": lambda: LARGE,
    "40 MB of texts": lambda: {f"text {number}": "long " * 8_000 for number in range(1_000)},
    "5 MB of text": lambda: "é\n" * 2_500_000,
    "long key": lambda: {"k" * 100_000: 1, "k" * 100_000 + "2": 2},
    "array of objects": lambda: np.array([with_methods(__repr__=broken(RuntimeError("no"))), None], dtype=object),
    "large array": lambda: np.zeros((2_000, 2_000)),
    "records": lambda: np.zeros(3, dtype=[("a", "i4"), ("b", "S3")]),
    "deque": lambda: collections.deque([1, {2}]),
    "generator that raises": lambda: (1 / (2 - number) for number in range(5)),
    "config of OmegaConf": lambda: omegaconf("config"),
    "list of OmegaConf": lambda: omegaconf("list"),
}
