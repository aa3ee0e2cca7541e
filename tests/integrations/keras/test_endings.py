"""How `fit` ends, and what the session records of it, although Keras calls no hook when it raises."""

from __future__ import annotations

import code
import inspect
import math
import sys
import threading
from pathlib import Path
from typing import Any

import keras
import pytest

from losswise.integrations import LosswiseKerasCallback
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
def test_a_loss_that_is_not_finite(watched: Server, terminate: Any) -> None:
    callback = LosswiseKerasCallback()
    fit(broken(), callback, terminate())
    session = watched.session(callback.session.id)
    assert ending(session) == ("failed", "error", "NonFiniteLoss")
    assert session["error"]["message"] == "fit was stopped because the loss became nan at batch 0"
    assert columns(watched, session)["loss"]["loss"] == [(0, "NaN")]


def test_a_loss_that_is_not_finite_without_terminate_on_nan(watched: Server) -> None:
    callback = LosswiseKerasCallback()
    fit(broken(), callback, epochs=1)
    assert ending(watched.session(callback.session.id)) == ("complete", None, None)


def test_a_loss_that_is_not_finite_and_another_callback_stops(watched: Server) -> None:
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
    eventually(lambda: ending(watched.session(session_id)) == ("failed", "error", "KeyError"), 10)
    fit(model, callback, batches, epochs=1)
    session = watched.session(session_id)
    assert ending(session)[:2] == ("complete", None), "a later fit says how it ends"
    assert columns(watched, session)["loss"]["loss"] == at(range(7), batches.losses)


def test_the_error_and_its_traceback_are_recorded(watched: Server) -> None:
    callback = LosswiseKerasCallback()
    with pytest.raises(KeyError):
        fit(network(), callback, Raises(KeyError("a bad batch")))
    assert callback.session.status == "failed", "at once"
    eventually(lambda: watched.session(callback.session.id)["status"] == "failed", 10)
    session = watched.session(callback.session.id)
    assert (session["error"]["type"], session["error"]["message"]) == ("KeyError", "'a bad batch'")
    assert "on_train_batch_end" in session["error"]["traceback"]


def test_evaluate_after_a_fit_that_failed(watched: Server) -> None:
    """Its result is kept, and the session stays what the fit made it."""
    callback, model = LosswiseKerasCallback(), network()
    with pytest.raises(KeyError):
        fit(model, callback, Raises(KeyError("a bad batch")))
    result = model.evaluate(IMAGES, LABELS, verbose=0, callbacks=[callback], return_dict=True)
    session = watched.session(callback.session.id)
    assert columns(watched, session)["loss"]["test_loss"] == [(2, result["loss"])]
    assert ending(session) == ("failed", "error", "KeyError")


def test_two_callbacks_at_once(watched: Server) -> None:
    """Two sessions with the same points, which fail together."""
    callbacks = [LosswiseKerasCallback("one"), LosswiseKerasCallback("other", log_freq=2)]
    with pytest.raises(KeyError):
        fit(network(), *callbacks, Raises(KeyError("a bad batch"), epoch=1))
    for callback in callbacks:
        eventually(lambda of=callback: watched.session(of.session.id)["status"] == "failed", 10)  # type: ignore[misc]
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
        pytest.param("KeyError('bad')", "KeyError", ("failed", "error", "KeyError"), marks=pytest.mark.full),
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
        pytest.param("sys.exit(0)", "()", "pass", ("complete", None, None), id="well", marks=FULL),
        pytest.param("exit()", "()", "pass", ("complete", None, None), id="typed", marks=FULL),
        pytest.param("sys.exit(3)", "()", "pass", ("failed", "error", "SystemExit"), id="badly", marks=FULL),
        pytest.param("sys.exit(3)", "SystemExit", "pass", ("failed", "error", "SystemExit"), id="caught", marks=FULL),
        pytest.param(
            "1 / 0", "Exception", "sys.exit()", ("failed", "error", "ZeroDivisionError"), id="after", marks=FULL
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
    eventually(lambda: ending(watched.session(callback.session.id)) == expected, 10)


def test_evaluate_after_sys_exit(watched: Server) -> None:
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


def test_an_exception_that_a_prompt_shows(watched: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """A notebook's cell that raises: the shell shows the error and goes on."""
    callback = LosswiseKerasCallback()
    names = {"fit": fit, "network": network, "callback": callback, "Raises": Raises}
    shell = code.InteractiveInterpreter(names)
    shell.runsource("fit(network(), callback, Raises(KeyError('a bad batch')))", symbol="exec")
    assert "KeyError" in capsys.readouterr().err
    eventually(lambda: ending(watched.session(callback.session.id)) == ("failed", "error", "KeyError"), 10)


def test_a_fit_that_is_tried_again_at_once(watched: Server) -> None:
    """The end of the first does not end the second."""
    statuses = []

    class Notes(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            statuses.append(callback.session.status)

    callback = LosswiseKerasCallback()
    try:
        fit(network(), callback, Raises(KeyError("a bad batch")))
    except KeyError:
        fit(network(), callback, Notes(), epochs=1)
    assert statuses == ["active"] * 4
    assert ending(watched.session(callback.session.id)) == ("complete", None, None)


class LogsItsFit(keras.Sequential):
    """Overrides `fit`, and calls that of Keras."""

    def fit(self, *arguments: Any, **options: Any) -> Any:
        return super().fit(*arguments, **options)


class OwnLoop(keras.Sequential):
    """Overrides `fit` by a loop of its own, which drives the callbacks."""

    def fit(self, x: Any, y: Any, callbacks: Any = (), **options: Any) -> Any:
        told = keras.callbacks.CallbackList(callbacks, model=self, epochs=1, steps=4)
        told.on_train_begin()
        told.on_epoch_begin(0)
        for batch in range(4):
            told.on_train_batch_begin(batch)
            told.on_train_batch_end(batch, {"loss": float(batch)})
        told.on_epoch_end(0, {"loss": 3.0})
        if options.get("epochs") != 0:  # else it forgets that
            told.on_train_end()


def derived(kind: Any) -> Any:
    model = kind([keras.layers.Input((64,)), keras.layers.Dense(10, activation="softmax")])
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
    return model


@pytest.mark.parametrize("kind", [LogsItsFit, OwnLoop])
def test_a_model_with_a_fit_of_its_own(watched: Server, kind: Any) -> None:
    failed, well = LosswiseKerasCallback(), LosswiseKerasCallback()
    with pytest.raises(KeyError):
        fit(derived(kind), failed, Raises(KeyError("a bad batch")))
    eventually(lambda: ending(watched.session(failed.session.id)) == ("failed", "error", "KeyError"), 10)
    fit(derived(kind), well, epochs=1)
    assert ending(watched.session(well.session.id)) == ("complete", None, None)


def test_a_fit_of_its_own_that_never_says_it_ended(watched: Server) -> None:
    callback = LosswiseKerasCallback()
    fit(derived(OwnLoop), callback, epochs=0)
    eventually(lambda: ending(watched.session(callback.session.id)) == ("complete", None, None), 10)


def test_a_fit_within_a_fit(watched: Server) -> None:
    """The inner one fails, which the outer one's callback catches."""
    outer, inner = LosswiseKerasCallback("outer"), LosswiseKerasCallback("inner")

    class Tries(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            with pytest.raises(KeyError):
                fit(network(), inner, Raises(KeyError("a bad batch")), epochs=1)

    fit(network(), outer, Tries(), epochs=2)
    assert ending(watched.session(outer.session.id)) == ("complete", None, None)
    eventually(lambda: ending(watched.session(inner.session.id)) == ("failed", "error", "KeyError"), 10)
    points = columns(watched, watched.session(outer.session.id))["loss"]["loss"]
    assert xs(points) == list(range(8)), "the inner one took nothing of the outer one"


def test_a_fit_around_one_that_fails(watched: Server) -> None:
    """The exception leaves both."""
    outer, inner = LosswiseKerasCallback("outer"), LosswiseKerasCallback("inner")

    class Tries(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            fit(network(), inner, Raises(KeyError("a bad batch")), epochs=1)

    with pytest.raises(KeyError):
        fit(network(), outer, Tries(), epochs=2)
    for callback in (outer, inner):
        id_ = callback.session.id
        eventually(lambda id_=id_: ending(watched.session(id_)) == ("failed", "error", "KeyError"), 10)  # type: ignore[misc]


def test_fits_in_threads(watched: Server) -> None:
    """Each has its own end."""
    failed, well = LosswiseKerasCallback("failed"), LosswiseKerasCallback("well")
    both_train, errors = threading.Barrier(2, timeout=60), []

    class Meets(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            if batch == 1:
                both_train.wait()

    def train(model: Any, *callbacks: Any) -> None:
        try:
            fit(model, *callbacks, epochs=1)
        except KeyError as error:
            errors.append(error)

    # models are made here: keras.utils.set_random_seed is not made for threads
    threads = [
        threading.Thread(target=train, args=(network(), failed, Meets(), Raises(KeyError("a bad batch")))),
        threading.Thread(target=train, args=(network(), well, Meets())),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(errors) == 1
    eventually(lambda: ending(watched.session(failed.session.id)) == ("failed", "error", "KeyError"), 10)
    assert ending(watched.session(well.session.id)) == ("complete", None, None)


def test_fit_looks_as_before() -> None:
    """Its signature and its name, for those who call it and for other tools that wrap it."""
    LosswiseKerasCallback()
    assert "validation_split" in inspect.signature(keras.Model.fit).parameters
    assert keras.Model.fit.__name__ == "fit"
    before = keras.Model.fit
    LosswiseKerasCallback()
    assert keras.Model.fit is before, "it is wrapped once"


def test_a_wrapped_model_class_can_be_sent_to_another_process() -> None:
    """Ray, Spark and others send classes of a script by value, with the functions in them."""
    cloudpickle = pytest.importorskip("cloudpickle")

    class Local(keras.Sequential):
        def fit(self, *arguments: Any, **options: Any) -> Any:
            return super().fit(*arguments, **options)

    before = Local.fit
    LosswiseKerasCallback()
    assert Local.fit is not before
    copy = cloudpickle.loads(cloudpickle.dumps(Local))
    fit(derived(copy), epochs=1)
