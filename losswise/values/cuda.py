"""Wait for the CUDA stream that computes a tensor before reading the tensor's value."""

from __future__ import annotations

import sys
from typing import Any


def record_event(tensor: Any) -> Any:
    """Return a CUDA event that completes once the work queued so far for a tensor is done.

    Reading a tensor waits for the current stream of the reading thread only. A script that trains in a stream of its
    own (`torch.cuda.stream`) computes the value in another one, so the journal thread would read memory that is not
    written yet. It waits for this event first. Recording an event does not wait for the GPU.

    Returns:
        A `torch.cuda.Event`. None if the tensor is not on a CUDA device or is computed in the default stream, for
        which every reader waits.
    """
    torch = sys.modules.get("torch")
    if torch is None or not getattr(tensor, "is_cuda", False):
        return None
    try:
        stream = torch.cuda.current_stream(tensor.device)
        return None if stream == torch.cuda.default_stream(tensor.device) else stream.record_event()
    except Exception:  # without an event the value may be stale, with an exception it would be lost
        return None


class PendingTensor:
    """A Torch tensor that may be read once an event has completed. Reading it waits for that."""

    __slots__ = ("_event", "_tensor")

    def __init__(self, tensor: Any, event: Any) -> None:
        self._tensor, self._event = tensor, event

    def read(self) -> Any:
        """Return the tensor, after the event."""
        self._event.synchronize()
        return self._tensor

    @property
    def shape(self) -> Any:
        return self._tensor.shape

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
