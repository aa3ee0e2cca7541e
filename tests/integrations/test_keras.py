"""LosswiseKerasCallback on real fits: what arrives is what Keras' own History recorded."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from losswise.integrations import LosswiseKerasCallback
from tests.integrations.reading import columns
from tests.support.server import Server, clean_environment, eventually

BATCH = 100
IMAGES, LABELS = load_digits(return_X_y=True)
IMAGES, LABELS = (IMAGES / 16)[:500], LABELS[:500]


def network(learning_rate: Any = 0.05) -> Any:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(10, activation="softmax")], name="digits")
    optimizer = keras.optimizers.SGD(learning_rate, momentum=0.9)
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Batches(keras.callbacks.Callback):
    """What Keras tells its callbacks after each batch."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.losses.append(logs["loss"])


class Raises(keras.callbacks.Callback):
    def __init__(self, error: BaseException, batch: int = 2) -> None:
        super().__init__()
        self.error, self.batch = error, batch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch == self.batch:
            raise self.error


def fit(model: Any, *callbacks: Any, **options: Any) -> Any:
    options = {"epochs": 3, "batch_size": BATCH, "validation_split": 0.2, "verbose": 0, **options}
    return model.fit(IMAGES, LABELS, callbacks=list(callbacks), **options)


def at(xs: list[int], ys: list[float]) -> list[tuple[int, float]]:
    return list(zip(xs, ys, strict=True))


def test_a_fit_arrives_complete(watched: Server) -> None:
    callback, batches = LosswiseKerasCallback("digits", params={"loss": "mine"}), Batches()
    history = fit(network(), callback, batches).history
    session = watched.session(callback.session.id)
    ends = [3, 7, 11]  # 400 images, four batches an epoch

    points = columns(watched, session)
    assert points["loss"]["loss"] == at(list(range(12)), batches.losses)
    assert [points["loss"]["loss"][x] for x in ends] == at(ends, history["loss"]), "not twice at an epoch's end"
    assert points["loss"]["val_loss"] == at(ends, history["val_loss"])
    assert points["accuracy"]["val_accuracy"] == at(ends, history["val_accuracy"])
    assert len(points["accuracy"]["accuracy"]) == 12
    assert points["learning_rate"]["learning_rate"] == at(ends, [pytest.approx(0.05)] * 3)
    assert [x for x, _ in points["epoch_seconds"]["epoch_seconds"]] == ends
    assert {graph["title"]: graph["kind"] for graph in session["graphs"]} == {
        "loss": "min",
        "accuracy": "max",
        "learning_rate": None,
        "epoch_seconds": None,
    }

    assert (session["tag"], session["status"], session["max_iter"]) == ("digits", "complete", 12)
    params = session["params"]
    assert params["loss"] == "mine", "the person's own win"
    assert params["optimizer"] == "SGD"
    assert params["optimizer_config"]["momentum"] == 0.9
    assert (params["parameters"], params["trainable_parameters"]) == (650, 650)
    assert (params["batch_size"], params["epochs"], params["steps_per_epoch"]) == (BATCH, 3, 4)
    assert (params["model"], params["keras"], params["backend"]) == (
        "digits",
        keras.__version__,
        keras.backend.backend(),
    )
    summary = next(text["text"] for text in session["texts"] if text["name"] == "model summary")
    assert "dense" in summary
    assert "650" in summary


def test_a_second_fit_and_evaluate_go_on(watched: Server) -> None:
    model, callback = network(), LosswiseKerasCallback()
    fit(model, callback, epochs=1)
    fit(model, callback, epochs=4, initial_epoch=2)
    result = model.evaluate(IMAGES, LABELS, verbose=0, callbacks=[callback], return_dict=True)
    session = watched.session(callback.session.id)
    points = columns(watched, session)
    assert [x for x, _ in points["loss"]["loss"]] == list(range(12))
    assert [x for x, _ in points["loss"]["val_loss"]] == [3, 7, 11]
    assert points["loss"]["test_loss"] == [(11, result["loss"])]
    assert (session["max_iter"], session["status"]) == (12, "complete")


@pytest.mark.parametrize(("log_freq", "expected"), [("epoch", [3, 7, 11]), (3, [0, 3, 6, 7, 9, 11])])
def test_fewer_points(watched: Server, log_freq: Any, expected: list[int]) -> None:
    callback = LosswiseKerasCallback(log_freq=log_freq)
    history = fit(network(), callback).history
    points = columns(watched, watched.session(callback.session.id))
    assert [x for x, _ in points["loss"]["loss"]] == expected
    assert [y for x, y in points["loss"]["loss"] if x in (3, 7, 11)] == history["loss"]


def test_steps_of_unknown_number(watched: Server) -> None:
    """Keras knows an iterable's batches only when the first epoch has ended, and max_iter is learned then."""

    class Batches(torch.utils.data.IterableDataset[Any]):
        def __iter__(self) -> Iterator[Any]:
            yield from ((IMAGES[:BATCH], LABELS[:BATCH]) for _ in range(5))

    seen: list[int | None] = []
    callback = LosswiseKerasCallback()
    look = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(callback.session.max_iter))
    network().fit(
        torch.utils.data.DataLoader(Batches(), batch_size=None), epochs=3, verbose=0, callbacks=[look, callback]
    )
    assert seen == [None, 15, 15]
    assert watched.session(callback.session.id)["max_iter"] == 15


def test_stopped_early(watched: Server) -> None:
    callback = LosswiseKerasCallback()
    stop = keras.callbacks.EarlyStopping("loss", min_delta=100.0, patience=1)
    fit(network(), callback, stop, epochs=10)
    session = watched.session(callback.session.id)
    assert (session["status"], session["progress"], session["max_iter"]) == ("complete", 1, 40)


def test_a_loss_that_is_no_number(watched: Server) -> None:
    callback = LosswiseKerasCallback()
    model = network()
    model.compile("sgd", loss=lambda wanted, output: keras.ops.mean(output, axis=-1) * math.nan)
    fit(model, callback, keras.callbacks.TerminateOnNaN())
    session = watched.session(callback.session.id)
    assert (session["status"], session["reason"]) == ("failed", "error")
    assert session["error"]["message"] == "fit was stopped because the loss became nan at batch 0"
    assert columns(watched, session)["loss"]["loss"][0] == (0, "NaN")


def test_a_fit_that_raises_and_is_caught(watched: Server) -> None:
    callback = LosswiseKerasCallback()
    model = network()
    with pytest.raises(KeyError):
        fit(model, callback, Raises(KeyError("a bad batch")))
    session_id = callback.session.id
    eventually(lambda: watched.session(session_id)["status"] == "failed", 10)
    fit(model, callback, epochs=1)
    assert watched.session(session_id)["status"] == "complete", "a later fit says how it ends"
    xs = [x for x, _ in columns(watched, watched.session(session_id))["loss"]["loss"]]
    assert xs == list(range(7))


SCRIPT = """
import sys
sys.path.insert(0, {root!r})
from tests.integrations import test_keras as t
callback = t.LosswiseKerasCallback()
try:
    t.fit(t.network(), callback, t.Raises({error}))
except {caught}:
    pass
"""


@pytest.mark.parametrize(
    ("error", "caught", "ending"),
    [
        ("KeyError('bad')", "ZeroDivisionError", ("failed", "error", "KeyError")),
        pytest.param("KeyError('bad')", "KeyError", ("failed", "error", ""), marks=pytest.mark.full),
        pytest.param(
            "KeyboardInterrupt()", "ZeroDivisionError", ("cancelled", "interrupted", None), marks=pytest.mark.full
        ),
    ],
)
@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_a_script_that_ends_with_its_fit(
    watched: Server, clean_home: Path, error: str, caught: str, ending: tuple[str, str, str | None]
) -> None:
    script = SCRIPT.format(root=str(Path(__file__).parents[2]), error=error, caught=caught)
    environment = clean_environment(clean_home, LW_BASE_URL=watched.url, LW_API_KEY=watched.api_key)
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    address = next(line for line in done.stderr.splitlines() if "watching at" in line)
    session = watched.session(address.rpartition("/")[2])
    found = session["error"]["type"] if session["error"] else None
    assert (session["status"], session["reason"], found) == ending


def test_predict_makes_no_session(watched: Server) -> None:
    callback = LosswiseKerasCallback()
    network().predict(IMAGES[:10], verbose=0, callbacks=[callback])
    assert callback.session is None


def test_wrong_arguments_are_told_at_once() -> None:
    with pytest.raises(TypeError):
        LosswiseKerasCallback(params=["a"])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="log_freq"):
        LosswiseKerasCallback(log_freq="sometimes")
    with pytest.raises(TypeError, match="colour"):
        LosswiseKerasCallback(colour="red")


def test_the_published_spelling() -> None:
    from losswise.libs import LosswiseKerasCallback as Published

    assert Published is LosswiseKerasCallback
    assert Published(tag="a", params={"b": 1}, track_git=False, display_interval=10, max_iter=100)._every == 10


def test_no_server_and_a_fit_that_goes_on(watched: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LW_BASE_URL", "http://127.0.0.1:9")
    history = fit(network(), LosswiseKerasCallback(track_git=False), epochs=1).history
    assert np.isfinite(history["loss"]).all()
