"""Values of frameworks: copied as they are at the call, read later, and never waited for."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import numpy as np
import pytest

import losswise
from tests.client.fake_server import FakeServer

torch: Any = pytest.importorskip("torch")

os.environ.setdefault("KERAS_BACKEND", "torch")


class OnAccelerator:
    """A tensor whose device is busy: a copy is only queued there, and reading the number waits."""

    read_by: list[str] = []

    def __init__(self, number: float, seconds: float) -> None:
        self.number, self.seconds = number, seconds

    def detach(self) -> OnAccelerator:
        return self

    def clone(self) -> OnAccelerator:
        return OnAccelerator(self.number, self.seconds)

    def __float__(self) -> float:
        OnAccelerator.read_by.append(threading.current_thread().name)
        time.sleep(self.seconds)
        return self.number


class Variable:
    """A variable as TensorFlow has them: `value` is a method that gives what it holds now."""

    def __init__(self, number: float) -> None:
        self.number = number

    def assign(self, number: float) -> None:
        self.number = number

    def value(self) -> float:
        return self.number


def test_a_tensor_on_a_busy_accelerator_is_not_waited_for(recorder: FakeServer) -> None:
    session = losswise.Session(track_git=False)
    graph = session.graph("loss")
    session.flush()
    OnAccelerator.read_by.clear()
    longest = 0.0
    for x in range(20):
        tensor = OnAccelerator(float(x), 0.05)
        begun = time.perf_counter()
        graph.append(x, {"a": tensor})
        longest = max(longest, time.perf_counter() - begun)
        tensor.number = -1.0  # the next step writes over it
    assert len(OnAccelerator.read_by) < 20  # the caller was through long before
    session.done()
    assert longest < 0.05
    assert recorder.points("a") == [(x, float(x)) for x in range(20)]
    assert set(OnAccelerator.read_by) == {"losswise-values"}


def test_a_slow_accelerator_keeps_no_other_graph_from_the_disk(recorder: FakeServer) -> None:
    session = losswise.Session(track_git=False)
    slow, quick = session.graph("slow"), session.graph("quick")
    quick.append(0, {"b": 0.0})
    slow.append(0, {"a": 0.0})
    session.flush()
    slow.append(1, {"a": OnAccelerator(1.0, 1.0)})
    for x in range(1, 10):
        quick.append(x, {"b": float(x)})
    begun = time.monotonic()
    while len(recorder.points("b")) < 10 and time.monotonic() - begun < 5.0:
        time.sleep(0.005)
    assert recorder.points("a") == [(0, 0.0)]
    session.done()
    assert recorder.points("a") == [(0, 0.0), (1, 1.0)]


def keras_variable(number: float) -> Any:
    import keras

    return keras.Variable(number)


@pytest.mark.parametrize("make", [keras_variable, Variable], ids=["keras", "tensorflow"])
def test_a_variable_is_logged_as_it_was_at_the_call(recorder: FakeServer, make: Any) -> None:
    session = losswise.Session(track_git=False)
    graph = session.graph("loss")
    variable = make(0.0)
    for x in range(100):
        variable.assign(float(x))
        graph.append(x, {"a": variable})
    session.done()
    assert recorder.points("a") == [(x, float(x)) for x in range(100)]


def test_arrays_that_are_written_over_are_logged_as_they_were(recorder: FakeServer) -> None:
    session = losswise.Session(track_git=False)
    graph = session.graph("loss")
    array, tensor = np.zeros(()), torch.zeros(1, requires_grad=True)
    place: Any = np.zeros((), dtype=np.int64)
    for x in range(100):
        array[...] = x
        place[...] = x
        with torch.no_grad():
            tensor += 1
        graph.append(place, {"a": array, "b": tensor})
    session.done()
    assert recorder.points("a") == [(x, float(x)) for x in range(100)]
    assert recorder.points("b") == [(x, float(x + 1)) for x in range(100)]


def test_jax_scalars(recorder: FakeServer) -> None:
    jax_numpy = pytest.importorskip("jax.numpy")
    session = losswise.Session(track_git=False)
    for x in range(3):
        session.graph("loss").append(x, {"a": jax_numpy.float32(x), "b": jax_numpy.array(x, "bfloat16")})
    session.done()
    assert recorder.points("a") == recorder.points("b") == [(x, float(x)) for x in range(3)]


def test_tensorflow_scalars(recorder: FakeServer) -> None:
    tensorflow = pytest.importorskip("tensorflow")
    session = losswise.Session(track_git=False)
    variable = tensorflow.Variable(0.0)
    for x in range(3):
        variable.assign(float(x))
        session.graph("loss").append(x, {"a": tensorflow.constant(float(x)), "b": variable})
    session.done()
    assert recorder.points("a") == recorder.points("b") == [(x, float(x)) for x in range(3)]


class InItsOwnStream(OnAccelerator):
    """A tensor of a stream that the reading thread does not wait for: before the mark it holds rubbish."""

    is_cuda = True
    device = "cuda:0"

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    def clone(self) -> InItsOwnStream:
        return self

    def item(self) -> float:
        return 0.5 if self.stream.is_reached else 9.9

    __float__ = item
    shape = ()


class Stream:
    """A stream of torch.cuda, and the event that it records: complete once it was waited for."""

    is_reached = False

    def record_event(self) -> Stream:
        return self

    def synchronize(self) -> None:
        time.sleep(0.5)
        self.is_reached = True


@pytest.mark.parametrize("how", ["append", "log", "set_values"])
def test_a_stream_of_its_own_is_waited_for_behind_the_scenes(
    recorder: FakeServer, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    stream = Stream()
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: stream)
    monkeypatch.setattr(torch.cuda, "default_stream", lambda device: None)
    session = losswise.Session(track_git=False)
    began = time.perf_counter()
    if how == "append":
        session.graph("loss").append(3, {"a": InItsOwnStream(stream)})
    elif how == "log":
        session.log({"a": InItsOwnStream(stream)}, 3)
    else:
        session.set_values({"a": InItsOwnStream(stream)})
    assert time.perf_counter() - began < 0.3
    session.done()
    if how == "set_values":
        assert recorder.records("values")[-1]["values"] == {"a": 0.5}
    else:
        assert recorder.points("a") == [(3, 0.5)]
