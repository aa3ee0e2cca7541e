"""How a fit was left, though Keras calls no hook where it raises: what the session says of it."""

from __future__ import annotations

import code
import math
import threading
from pathlib import Path
from typing import Any

import keras
import pytest

from losswise.integrations import LosswiseKerasCallback
from losswise.integrations.callwatch import CallWatch
from tests.integrations.keras_fits import IMAGES, LABELS, Batches, Raises, at, fit, network, run_script, xs
from tests.integrations.reading import columns
from tests.support.server import Server, eventually


def ending(session: Any) -> tuple[Any, ...]:
    return session["status"], session["reason"], session["error"]["type"] if session["error"] else None


def broken() -> Any:
    return network(loss=lambda wanted, output: keras.ops.mean(output, axis=-1) * math.nan, metrics=[])


def test_a_loss_that_is_no_number(watched: Server) -> None:
    callback = LosswiseKerasCallback()
    fit(broken(), callback, keras.callbacks.TerminateOnNaN())
    session = watched.session(callback.session.id)
    assert ending(session) == ("failed", "error", "NonFiniteLoss")
    assert session["error"]["message"] == "fit was stopped because the loss became nan at batch 0"
    assert columns(watched, session)["loss"]["loss"] == [(0, "NaN")]


def test_a_loss_that_is_no_number_and_nobody_minds(watched: Server) -> None:
    callback = LosswiseKerasCallback()
    fit(broken(), callback, epochs=1)
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
        pytest.param("KeyError('bad')", "KeyError", ("failed", "error", ""), marks=pytest.mark.full),
        pytest.param("KeyboardInterrupt()", "()", ("cancelled", "interrupted", None), marks=pytest.mark.full),
    ],
)
@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_a_script_that_ends_with_its_fit(
    watched: Server, clean_home: Path, error: str, caught: str, expected: tuple[Any, ...]
) -> None:
    session, _ = run_script(watched, clean_home, TRAIN.format(error=error, caught=caught))
    assert ending(session) == expected


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
