"""A base class for objects of which a process has one, however often they are copied."""

from __future__ import annotations

from typing import Any, NoReturn


class Uncopyable:
    """Base class of what records. A copy is the object itself, so that a model that holds one can be copied."""

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: Any) -> Any:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"a {type(self).__name__} of Losswise cannot be pickled: give the other process session.id, "
            "and have it make losswise.Session(resume=id)"
        )
