"""The params of a session: a dictionary that records changes made after the start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from losswise.protocol.records import Record, session_record
from losswise.util.guard import guarded
from losswise.values.containers import to_dict
from losswise.values.jsonable import snapshot_items


class Params(dict[str, Any]):
    """The parameters of a run. Setting an entry records it; removing one does not remove it on the server.

    Example:
        >>> session.params["optimizer"] = "adam"
        >>> session.params.update(rate=0.1, layers=[64, 10])
    """

    def __init__(self, params: Mapping[str, Any], put: Callable[[Record], None]) -> None:
        super().__init__(params)  # which the session records itself
        self._put = put

    @guarded("updating params")
    def __setitem__(self, name: str, value: Any) -> None:
        self.update({name: value})

    @guarded("updating params")
    def update(self, *args: Any, **params: Any) -> None:
        changed = {name: value for given in (*args, params) for name, value in to_dict(given).items()}
        super().update(changed)
        if changed:
            self._put(session_record(params=snapshot_items(changed)))

    @guarded("updating params")
    def setdefault(self, name: str, default: Any = None) -> Any:
        if name not in self:
            self.update({name: default})
        return self[name]

    def __ior__(self, other: Any) -> Params:  # type: ignore[override,misc]
        self.update(other)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy or pickle is a plain dictionary: it belongs to no session
        return dict, (dict(self),)
