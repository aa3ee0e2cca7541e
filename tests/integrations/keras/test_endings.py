"""How a fit was left, though Keras calls no hook where it raises: what the session says of it."""

from __future__ import annotations

import code
import math
import sys
import threading
import time
from pathlib import Path
from typing import Any

import keras
import pytest

from losswise.integrations import LosswiseKerasCallback
from losswise.integrations.keras import callback as integration
from losswise.integrations.keras.fit_watcher import CallWatch
from losswise.values.errors import described_error
from tests.integrations.keras.fits import IMAGES, LABELS, Batches, Raises, at, fit, network, run_script, xs
from tests.integrations.reading import columns
from tests.support.server import Server, eventually


def ending(session: Any) -> tuple[Any, ...]:
    return session["status"], session["reason"], session["error"]["type"] if session["error"] else None


def broken() -> Any:
    return network(loss=lambda wanted, output: keras.ops.mean(output, axis=-1) * math.nan, metrics=[])


class OwnTerminate(keras.callbacks.TerminateOnNaN):
    """One that a script derives."""


@pytest.mark.parametrize("terminate", [keras.callbacks.TerminateOnNaN, OwnTerminate])
def test_a_loss_that_is_no_number(watched: Server, terminate: Any) -> None:
    callback = LosswiseKerasCallback()
    fit(broken(), callback, terminate())
    session = watched.session(callback.session.id)
    assert ending(session) == ("failed", "error", "NonFiniteLoss")
    assert session["error"]["message"] == "fit was stopped because the loss became nan at batch 0"
    assert columns(watched, session)["loss"]["loss"] == [(0, "NaN")]


def test_a_loss_that_is_no_number_and_nobody_minds(watched: Server) -> None:
    callback = LosswiseKerasCallback()
    fit(broken(), callback, epochs=1)
    assert ending(watched.session(callback.session.id)) == ("complete", None, None)


def test_a_loss_that_is_no_number_and_another_callback_stops(watched: Server) -> None:
    callback = LosswiseKerasCallback()
    history = fit(broken(), callback, keras.callbacks.EarlyStopping("loss", patience=1), epochs=9).history
    assert len(history["loss"]) < 9
    assert ending(watched.session(callback.session.id)) == ("complete", None, None)


def test_a_fit_that_raises_and_is_caught(watched: Server) -> None:
    callback, batches = LosswiseKerasCallback(), Batches()
    model = network()
    with pytest.raises(KeyError):
        fit(model, callback, batches, Raises(KeyError("a bad batch")))
    session_id = callback.session.id
    eventually(lambda: watched.session(session_id)["status"] == "failed", 10)
    fit(model, callback, batches, epochs=1)
    session = watched.session(session_id)
    assert ending(session)[:2] == ("complete", None), "a later fit says how it ends"
    assert columns(watched, session)["loss"]["loss"] == at(range(7), batches.losses)


def test_an_exception_that_is_being_handled_is_told(watched: Server) -> None:
    callback = LosswiseKerasCallback()
    try:
        fit(network(), callback, Raises(KeyError("a bad batch")))
    except KeyError:
        eventually(lambda: watched.session(callback.session.id)["status"] == "failed", 10)
    session = watched.session(callback.session.id)
    assert (session["error"]["type"], session["error"]["message"]) == ("KeyError", "'a bad batch'")
    assert "on_train_batch_end" in session["error"]["traceback"]


@pytest.mark.parametrize("wait", [0.0, 2.0])
def test_evaluate_after_a_fit_that_failed(watched: Server, wait: float) -> None:
    """Its result is kept, and the session stays what the fit made it."""
    callback, model = LosswiseKerasCallback(), network()
    with pytest.raises(KeyError):
        fit(model, callback, Raises(KeyError("a bad batch")))
    if wait:
        eventually(lambda: watched.session(callback.session.id)["status"] == "failed", 10)
    result = model.evaluate(IMAGES, LABELS, verbose=0, callbacks=[callback], return_dict=True)
    session = watched.session(callback.session.id)
    assert columns(watched, session)["loss"]["test_loss"] == [(2, result["loss"])]
    assert ending(session)[:2] == ("failed", "error")


def test_two_callbacks_at_once(watched: Server) -> None:
    """Two sessions with the same points, which fail together."""
    callbacks = [LosswiseKerasCallback("one"), LosswiseKerasCallback("other", log_freq=2)]
    with pytest.raises(KeyError):
        fit(network(), *callbacks, Raises(KeyError("a bad batch"), epoch=1))
    for callback in callbacks:
        eventually(lambda of=callback: watched.session(of.session.id)["status"] == "failed", 10)
    one, other = (columns(watched, watched.session(callback.session.id))["loss"]["loss"] for callback in callbacks)
    assert xs(one) == list(range(7))
    assert [point for point in one if point[0] in (0, 2, 3, 4, 6)] == other


TRAIN = """
callback = LosswiseKerasCallback()
try:
    t.fit(t.network(), callback, t.Raises({error}))
except {caught}:
    pass
"""


@pytest.mark.parametrize(
    ("error", "caught", "expected"),
    [
        ("KeyError('bad')", "ZeroDivisionError", ("failed", "error", "KeyError")),
        pytest.param("KeyError('bad')", "KeyError", ("failed", "error", "CaughtException"), marks=pytest.mark.full),
        pytest.param("KeyboardInterrupt()", "()", ("cancelled", "interrupted", None), marks=pytest.mark.full),
    ],
)
@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_a_script_that_ends_with_its_fit(
    watched: Server, clean_home: Path, error: str, caught: str, expected: tuple[Any, ...]
) -> None:
    session, _ = run_script(watched, clean_home, TRAIN.format(error=error, caught=caught))
    assert ending(session) == expected


EXITS = """
class Exits(t.keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        {exits}
callback = LosswiseKerasCallback()
try:
    t.fit(t.network(), callback, Exits())
except {caught}:
    {then}
"""


FULL = pytest.mark.full


@pytest.mark.parametrize(
    ("exits", "caught", "then", "expected"),
    [
        pytest.param("sys.exit(0)", "()", "pass", ("complete", None, None), id="well"),
        pytest.param("exit()", "()", "pass", ("complete", None, None), id="typed", marks=FULL),
        pytest.param("sys.exit(3)", "()", "pass", ("failed", "error", "SystemExit"), id="badly", marks=FULL),
        pytest.param("sys.exit(3)", "SystemExit", "pass", ("failed", "error", "SystemExit"), id="caught", marks=FULL),
        pytest.param(
            "1 / 0", "Exception", "sys.exit()", ("failed", "error", "CaughtException"), id="after", marks=FULL
        ),
    ],
)
@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_sys_exit(
    watched: Server, clean_home: Path, exits: str, caught: str, then: str, expected: tuple[Any, ...]
) -> None:
    """Within fit it ends the script, well or not, as anywhere else."""
    session, _ = run_script(watched, clean_home, EXITS.format(exits=exits, caught=caught, then=then))
    assert ending(session) == expected


@pytest.mark.parametrize(
    ("status", "expected"), [(0, ("complete", None, None)), (3, ("failed", "error", "SystemExit"))]
)
def test_sys_exit_that_is_caught(watched: Server, status: int, expected: tuple[Any, ...]) -> None:
    callback = LosswiseKerasCallback()
    with pytest.raises(SystemExit):
        fit(network(), callback, Raises(SystemExit(status)))
    try:
        fit(network(), callback, Raises(SystemExit(status)))
    except SystemExit:  # and is still handled
        eventually(lambda: ending(watched.session(callback.session.id)) == expected, 10)


def test_evaluate_after_sys_exit(watched: Server) -> None:
    """At once, before the watching thread has looked."""

    class Exits(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            sys.exit(0)

    callback, model = LosswiseKerasCallback(), network()
    with pytest.raises(SystemExit):
        fit(model, callback, Exits())
    model.evaluate(IMAGES, LABELS, verbose=0, callbacks=[callback])
    assert ending(watched.session(callback.session.id)) == ("complete", None, None)


INTERRUPTED = """
import os, signal, time
class Interrupts(t.keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 1:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
callback = LosswiseKerasCallback()
try:
    t.fit(t.network(), callback, Interrupts())
except {caught}:
    print("saved what there is")
"""


@pytest.mark.parametrize("caught", [pytest.param("()", marks=pytest.mark.full), "KeyboardInterrupt"])
@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_ctrl_c(watched: Server, clean_home: Path, caught: str) -> None:
    """Also where the script catches it, to go on with what is trained."""
    session, done = run_script(watched, clean_home, INTERRUPTED.format(caught=caught))
    assert ending(session) == ("cancelled", "interrupted", None)
    assert (done.returncode == 0) == (caught == "KeyboardInterrupt")


def test_an_exception_that_a_prompt_has_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """A notebook's cell that raises: the shell shows the error and goes on."""
    left: list[Any] = []
    seen = threading.Event()

    def watch(frame: Any) -> None:
        CallWatch(frame, lambda error: (left.append(error), seen.set()))

    shell = code.InteractiveInterpreter({"watch": watch})
    shell.runsource("def fit():\n    import sys\n    watch(sys._getframe())\n    1 / 0\n", symbol="exec")
    shell.runsource("fit()")
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert seen.wait(5)
    assert isinstance(left[0], ZeroDivisionError)


def test_a_watch_that_is_stopped_while_it_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has seen that the call is gone, and would say so."""
    looking, go, left = threading.Event(), threading.Event(), []

    def look(watch: CallWatch) -> None:
        looking.set()
        go.wait(5)

    monkeypatch.setattr(CallWatch, "_handled", look)
    watch = (lambda: CallWatch(sys._getframe(), left.append))()
    assert looking.wait(5)
    watch.stop()
    go.set()
    watch._thread.join(5)
    assert left == []


def test_a_fit_that_is_tried_again_while_the_first_is_ended(watched: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch of the first does not end the second."""
    describing, statuses = threading.Event(), []

    def described(error: Any) -> Any:
        describing.set()
        time.sleep(0.5)  # meanwhile the second begins
        return described_error(error)

    class Waits(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch == 3:
                time.sleep(1.0)
                statuses.append((callback.session.status, callback._watch is not None))

    monkeypatch.setattr(integration, "described_error", described)
    callback = LosswiseKerasCallback()
    try:
        fit(network(), callback, Raises(KeyError("a bad batch")))
    except KeyError:
        assert describing.wait(5)
    fit(network(), callback, Waits(), epochs=1)
    assert statuses == [("active", True)]
    assert ending(watched.session(callback.session.id)) == ("complete", None, None)
