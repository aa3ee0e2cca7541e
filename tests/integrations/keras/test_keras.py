"""LosswiseKerasCallback on real fits: what arrives is what Keras' own History recorded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
import torch

from losswise.integrations import LosswiseKerasCallback
from losswise.integrations.keras.model import count_samples, data_adapter, find_fit_frame
from tests.integrations.keras.fits import BATCH, IMAGES, LABELS, Batches, at, fit, network, xs
from tests.integrations.reading import columns
from tests.support.server import Server

ENDS = [3, 7, 11]  # of three epochs of four batches


def test_a_fit_arrives_complete(watched: Server) -> None:
    callback, batches = LosswiseKerasCallback("digits", params={"loss": "mine"}), Batches()
    history = fit(network(), callback, batches).history
    session = watched.session(callback.session.id)

    points = columns(watched, session)
    assert points["loss"]["loss"] == at(range(12), batches.losses)
    assert [points["loss"]["loss"][x] for x in ENDS] == at(ENDS, history["loss"]), "not twice at an epoch's end"
    assert points["loss"]["val_loss"] == at(ENDS, history["val_loss"])
    assert points["accuracy"]["val_accuracy"] == at(ENDS, history["val_accuracy"])
    assert len(points["accuracy"]["accuracy"]) == 12
    assert points["learning_rate"]["learning_rate"] == at(ENDS, [pytest.approx(0.05)] * 3)
    assert xs(points["epoch_seconds"]["epoch_seconds"]) == ENDS
    speeds, seconds = points["samples_per_second"]["samples_per_second"], points["epoch_seconds"]["epoch_seconds"]
    assert xs(speeds) == ENDS
    assert all(speed * taken > 400 for (_, speed), (_, taken) in zip(speeds, seconds, strict=True)), (
        "an epoch's time has the validation, the speed has not"
    )
    assert {graph["title"]: (graph["kind"], graph["ylabel"]) for graph in session["graphs"]} == {
        "loss": ("min", "running mean of the epoch"),
        "accuracy": ("max", "running mean of the epoch"),
        "learning_rate": (None, ""),
        "epoch_seconds": (None, ""),
        "samples_per_second": (None, ""),
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


def test_the_rate_of_a_schedule(watched: Server) -> None:
    callback = LosswiseKerasCallback()
    schedule = keras.optimizers.schedules.PolynomialDecay(0.12, 12, 0.0)
    fit(network(schedule), callback)
    session = watched.session(callback.session.id)
    rates = columns(watched, session)["learning_rate"]["learning_rate"]
    assert rates == at(ENDS, [pytest.approx(rate, abs=1e-7) for rate in (0.08, 0.04, 0.0)])
    assert session["params"]["optimizer_config"]["learning_rate"]["class_name"] == "PolynomialDecay"


def test_a_second_fit_and_evaluate_go_on(watched: Server) -> None:
    model, callback = network(), LosswiseKerasCallback()
    fit(model, callback, epochs=1)
    assert watched.session(callback.session.id)["status"] == "complete", "when fit ends"
    fit(model, callback, epochs=4, initial_epoch=2)
    result = model.evaluate(IMAGES, LABELS, verbose=0, callbacks=[callback], return_dict=True)
    session = watched.session(callback.session.id)
    points = columns(watched, session)
    assert xs(points["loss"]["loss"]) == list(range(12))
    assert xs(points["loss"]["val_loss"]) == ENDS
    assert points["loss"]["test_loss"] == [(11, result["loss"])]
    assert (session["max_iter"], session["status"], session["params"]["epochs"]) == (12, "complete", 4)


def test_evaluate_alone(watched: Server) -> None:
    callback = LosswiseKerasCallback("only tested")
    result = network().evaluate(IMAGES, LABELS, verbose=0, callbacks=[callback], return_dict=True)
    session = watched.session(callback.session.id)
    assert columns(watched, session) == {
        "loss": {"test_loss": [(0, result["loss"])]},
        "accuracy": {"test_accuracy": [(0, result["accuracy"])]},
    }
    assert (session["status"], session["params"]["parameters"]) == ("complete", 650)


def test_predict_alone_makes_no_session(watched: Server) -> None:
    callback = LosswiseKerasCallback()
    network().predict(IMAGES[:10], verbose=0, callbacks=[callback])
    assert callback.session is None


def test_evaluate_and_predict_that_a_callback_calls_within_fit(watched: Server) -> None:
    """fit's own validation is counted once; a test set that a callback evaluates is counted, too, and fit goes on."""
    callback, tested = LosswiseKerasCallback(), []

    class Tests(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            other = network()  # such as one with averaged weights
            results = other.evaluate(IMAGES, LABELS, verbose=0, callbacks=[callback], return_dict=True)
            tested.append(results["loss"])
            other.predict(IMAGES[:10], verbose=0, callbacks=[callback])
            assert callback.session.status == "active"

    history = fit(network(0.01), callback, Tests()).history
    session = watched.session(callback.session.id)
    points = columns(watched, session)
    assert points["loss"]["val_loss"] == at(ENDS, history["val_loss"])
    assert points["loss"]["test_loss"] == at(ENDS, tested)
    assert points["learning_rate"]["learning_rate"] == at(ENDS, [pytest.approx(0.01)] * 3), "the trained model's"
    assert (session["status"], session["max_iter"]) == ("complete", 12)


@pytest.mark.parametrize(("log_freq", "expected"), [("epoch", ENDS), (3, [0, 3, 6, 7, 9, 11])])
def test_fewer_points(watched: Server, log_freq: Any, expected: list[int]) -> None:
    callback = LosswiseKerasCallback(log_freq=log_freq)
    history = fit(network(), callback).history
    points = columns(watched, watched.session(callback.session.id))
    assert xs(points["loss"]["loss"]) == expected
    assert [y for x, y in points["loss"]["loss"] if x in ENDS] == history["loss"]


def test_stopped_early(watched: Server) -> None:
    callback = LosswiseKerasCallback()
    stop = keras.callbacks.EarlyStopping("loss", min_delta=100.0, patience=1)
    fit(network(), callback, stop, epochs=10)
    session = watched.session(callback.session.id)
    assert (session["status"], session["progress"], session["max_iter"]) == ("complete", 1, 40)


def test_progress_and_completion_are_told_in_the_first_epoch(watched: Server) -> None:
    callback = LosswiseKerasCallback()
    seen: list[Any] = []

    class Looks(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch == 3 and not seen:
                callback.session.flush()
                seen.append(watched.session(callback.session.id))

    fit(network(), callback, Looks(), epochs=5, initial_epoch=3)
    assert (seen[0]["status"], seen[0]["max_iter"], seen[0]["progress"]) == ("active", 8, 0.5)
    assert seen[0]["eta"] is not None


def test_wrong_arguments_are_told_at_once() -> None:
    with pytest.raises(TypeError):
        LosswiseKerasCallback(params=["a"])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="log_freq"):
        LosswiseKerasCallback(log_freq="sometimes")
    with pytest.raises(TypeError, match="colour"):
        LosswiseKerasCallback(colour="red")  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="from_x needs resume"):
        LosswiseKerasCallback(from_x=3)
    with pytest.raises(ValueError, match="session's id"):
        LosswiseKerasCallback(resume="last")


def test_the_published_spelling() -> None:
    from losswise.libs import LosswiseKerasCallback as Published

    assert Published is LosswiseKerasCallback
    assert Published(tag="a", params={"b": 1}, track_git=False, display_interval=10, max_iter=100)._every == 10


# data of other kinds


class Stream(torch.utils.data.IterableDataset[Any]):
    """Batches whose number is unknown beforehand."""

    def __iter__(self) -> Iterator[Any]:
        yield from ((IMAGES[:BATCH], LABELS[:BATCH]) for _ in range(5))


class Pieces(keras.utils.PyDataset):
    """Batches of a size that Keras does not ask for."""

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> Any:
        return IMAGES[index * 100 : index * 100 + 100], LABELS[index * 100 : index * 100 + 100]


def stream() -> Any:
    return torch.utils.data.DataLoader(Stream(), batch_size=None)


def generator() -> Iterator[Any]:
    while True:
        yield IMAGES[:BATCH], LABELS[:BATCH]


ENDING = pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")


def loader() -> Any:
    data = torch.utils.data.TensorDataset(torch.from_numpy(IMAGES), torch.from_numpy(LABELS))
    return torch.utils.data.DataLoader(data, batch_size=120)


@pytest.mark.parametrize(
    ("data", "options", "known", "samples"),
    [
        pytest.param(stream, {}, [None, 15, 15], None, id="stream"),
        pytest.param(Pieces, {}, [15, 15, 15], None, id="PyDataset"),
        pytest.param(generator, {"steps_per_epoch": 5}, [15, 15, 15], None, id="generator"),
        pytest.param(loader, {}, [15, 15, 15], 500, id="DataLoader"),
    ],
)
@ENDING
def test_data_of_other_kinds(watched: Server, data: Any, options: Any, known: list[Any], samples: int | None) -> None:
    """max_iter is known at once or learned in the first epoch; the speed where the batch size is known."""
    seen: list[int | None] = []
    callback, batches = LosswiseKerasCallback(), Batches()
    look = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(callback.session.max_iter))
    callbacks = [look, callback, batches]
    network().fit(data(), epochs=3, verbose=0, callbacks=callbacks, shuffle=False, **options)
    assert seen == known
    session = watched.session(callback.session.id)
    points = columns(watched, session)
    assert points["loss"]["loss"] == at(range(15), batches.losses)
    assert (session["max_iter"], session["progress"]) == (15, 1)
    if samples is None:
        assert "samples_per_second" not in points
        return
    speeds, seconds = points["samples_per_second"]["samples_per_second"], points["epoch_seconds"]["epoch_seconds"]
    assert [speed * taken for (_, speed), (_, taken) in zip(speeds, seconds, strict=True)] == pytest.approx(
        [samples] * 3
    )


@ENDING
def test_data_that_end_before_the_last_epoch(watched: Server) -> None:
    """An epoch without a batch: no x has two points."""

    class Once(torch.utils.data.IterableDataset[Any]):
        def __init__(self) -> None:
            self.batches = iter(Stream())

        def __iter__(self) -> Iterator[Any]:
            return self.batches

    callback, batches = LosswiseKerasCallback(), Batches()
    data = torch.utils.data.DataLoader(Once(), batch_size=None)
    network().fit(data, epochs=2, verbose=0, callbacks=[callback, batches], shuffle=False)
    session = watched.session(callback.session.id)
    points = columns(watched, session)
    assert points["loss"]["loss"] == at(range(len(batches.losses)), batches.losses)
    assert len(points["epoch_seconds"]["epoch_seconds"]) == 1
    assert session["status"] == "complete"


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="one step an execution is all that torch does")
def test_several_steps_an_execution(watched: Server) -> None:
    """Keras tells of every second batch, and counts a fifth as if it were a pair."""
    callback, batches = LosswiseKerasCallback(), Batches()
    fit(network(steps_per_execution=2), callback, batches, epochs=2, validation_split=0.0)
    session = watched.session(callback.session.id)
    points = columns(watched, session)
    assert points["loss"]["loss"] == at([1, 3, 5, 7, 9, 11], batches.losses)
    speeds, seconds = points["samples_per_second"]["samples_per_second"], points["epoch_seconds"]["epoch_seconds"]
    assert [speed * taken for (_, speed), (_, taken) in zip(speeds, seconds, strict=True)] == pytest.approx([500] * 2)
    assert (session["max_iter"], session["last_x"]) == (12, 11)


@pytest.mark.parametrize(
    ("log_freq", "expected"), [("batch", [1, 3, 5, 7, 9, 11]), (4, [1, 5, 9, 11]), ("epoch", [5, 11])]
)
def test_fewer_points_of_several_steps_an_execution(watched: Server, log_freq: Any, expected: list[int]) -> None:
    """A point where a multiple was reached or crossed. The hooks as Keras calls them then, on every backend."""
    callback = LosswiseKerasCallback(log_freq=log_freq)
    callbacks = keras.callbacks.CallbackList([callback], model=network(), epochs=2, steps=5)
    callbacks.on_train_begin()
    for epoch in range(2):
        callbacks.on_epoch_begin(epoch)
        for batch in (1, 3, 5):
            callbacks.on_train_batch_end(batch, {"loss": 1.0 + batch})
        callbacks.on_epoch_end(epoch, {"loss": 6.0})
    callbacks.on_train_end()
    points = columns(watched, watched.session(callback.session.id))
    assert points["loss"]["loss"] == at(expected, [1.0 + x % 6 for x in expected])


def test_samples_of_more_batches_than_there_are() -> None:
    """As Keras counts them with several steps an execution; the last batch is a half."""
    counted: list[Any] = []

    class Counts(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            counted.extend(count_samples(data_adapter(find_fit_frame()), batches) for batches in (4, 5, 6))

    network().fit(IMAGES[:450], LABELS[:450], batch_size=BATCH, verbose=0, callbacks=[Counts()])
    assert counted == [400, 450, 450]


def test_a_loop_of_one_s_own(watched: Server) -> None:
    """Which drives callbacks as fit does."""
    callback, model = LosswiseKerasCallback(), network()
    callbacks = keras.callbacks.CallbackList([callback], model=model, epochs=2, steps=4)
    callbacks.on_train_begin()
    for epoch in range(2):
        callbacks.on_epoch_begin(epoch)
        for batch in range(4):
            logs = model.train_on_batch(IMAGES[:BATCH], LABELS[:BATCH], return_dict=True)
            callbacks.on_train_batch_end(batch, logs)
        callbacks.on_epoch_end(epoch, {**logs, "val_loss": 1.0})
    callbacks.on_train_end()
    session = watched.session(callback.session.id)
    points = columns(watched, session)
    assert (xs(points["loss"]["loss"]), xs(points["loss"]["val_loss"])) == (list(range(8)), [3, 7])
    assert (session["status"], session["max_iter"]) == ("complete", 8)


def test_a_model_that_is_built_by_its_first_batch(watched: Server) -> None:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(10, activation="softmax")

        def call(self, inputs: Any) -> Any:
            return self.dense(inputs)

        def get_config(self) -> Any:
            raise NotImplementedError

    model, callback = Own(), LosswiseKerasCallback()
    model.compile("sgd", "sparse_categorical_crossentropy")
    fit(model, callback, epochs=1)
    session = watched.session(callback.session.id)
    assert [text["name"] for text in session["texts"] if "dense" in text["text"]] == ["model summary"]
    assert np.isclose(session["params"]["optimizer_config"]["learning_rate"], 0.01)
