"""What is one in its process, however often it is copied."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

S = TypeVar("S", bound="Single")


class Single:
    """A base of what records: a copy is the thing itself, so that a model that holds one can be copied."""

    def __copy__(self: S) -> S:
        return self

    def __deepcopy__(self: S, memo: Any) -> S:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"a {type(self).__name__} of Losswise cannot be pickled: give the other process session.id, "
            "and have it make losswise.Session(resume=id)"
        )
