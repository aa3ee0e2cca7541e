"""Wait for a CUDA tensor's stream before its value is read."""

from __future__ import annotations

import sys
from typing import Any


def stream_mark(tensor: Any) -> Any:
    """What tells that all is done which is queued now for a tensor of Torch; None where nothing needs to be waited for.

    Whoever reads a tensor waits for the stream of his own thread, which is not the one in which it is computed
    where a script trains in a stream of its own. The mark's `synchronize` waits for that one.
    """
    if not getattr(tensor, "is_cuda", False):
        return None
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    cuda = torch.cuda
    stream = cuda.current_stream(tensor.device)
    return None if stream == cuda.default_stream(tensor.device) else stream.record_event()


class _Marked:
    """A tensor that is ready once its mark is reached."""

    __slots__ = ("_mark", "_tensor")

    def __init__(self, tensor: Any, mark: Any) -> None:
        self._tensor, self._mark = tensor, mark

    @property
    def shape(self) -> Any:
        return self._tensor.shape

    def read(self) -> Any:
        self._mark.synchronize()
        return self._tensor

    def item(self) -> Any:
        return self.read().item()

    def tolist(self) -> Any:
        return self.read().tolist()

    def __float__(self) -> float:
        return float(self.read())

    def __index__(self) -> int:
        return int(self.read().__index__())

    def __repr__(self) -> str:
        return repr(self.read())


def _ready(tensor: Any) -> Any:
    try:
        mark = stream_mark(tensor)
    except Exception:  # the copy is kept, come what may
        mark = None
    return tensor if mark is None else _Marked(tensor, mark)
