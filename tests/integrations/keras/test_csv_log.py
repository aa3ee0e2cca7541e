"""What arrives is what Keras' own CSVLogger writes."""

from __future__ import annotations

import csv
from pathlib import Path

import keras
import pytest

from losswise.integrations import LosswiseKerasCallback
from tests.integrations.keras.fits import BATCH, IMAGES, LABELS
from tests.integrations.reading import columns
from tests.support.server import Server

ENDS = [3, 7, 11]  # of three epochs of four batches


def test_the_numbers_of_a_csv_log(watched: Server, tmp_path: Path) -> None:
    """Two outputs, a metric of another name, a rate that a callback changes, a place chosen by the person."""
    keras.utils.set_random_seed(0)
    inputs = keras.layers.Input((64,))
    digit = keras.layers.Dense(10, activation="softmax", name="digit")(inputs)
    parity = keras.layers.Dense(1, activation="sigmoid", name="parity")(inputs)
    model = keras.Model(inputs, {"digit": digit, "parity": parity})
    model.compile(
        "adam",
        loss={"digit": "sparse_categorical_crossentropy", "parity": "binary_crossentropy"},
        metrics={"digit": ["accuracy"], "parity": [keras.metrics.AUC(name="my_score")]},
    )
    callback = LosswiseKerasCallback(graphs={"parity_my_score": ("quality", "max")})
    try:
        model.fit(
            IMAGES,
            {"digit": LABELS, "parity": (LABELS % 2)[:, None]},
            validation_split=0.2,
            epochs=3,
            batch_size=BATCH,
            verbose=0,
            callbacks=[
                keras.callbacks.LearningRateScheduler(lambda epoch: 0.01 / (epoch + 1)),
                keras.callbacks.CSVLogger(tmp_path / "log.csv"),
                callback,
            ],
        )
    except NotImplementedError:
        if tuple(map(int, keras.__version__.split(".")[:2])) >= (3, 10):
            raise
        pytest.skip("this Keras does not fit this model on this PyTorch")
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    session = watched.session(callback.session.id)
    points = columns(watched, session)
    found = {name: dict(column) for graph in points.values() for name, column in graph.items()}
    names = set(rows[0]) - {"epoch"}
    assert {"digit_loss", "val_parity_my_score", "learning_rate"} < names
    for name in names:
        expected = [pytest.approx(float(row[name]), rel=1e-12) for row in rows]
        assert [found[name][x] for x in ENDS] == expected, name
    assert {title: set(names) for title, names in points.items()} == {
        "loss": {"loss", "val_loss"},
        "digit_loss": {"digit_loss", "val_digit_loss"},
        "parity_loss": {"parity_loss", "val_parity_loss"},
        "digit_accuracy": {"digit_accuracy", "val_digit_accuracy"},
        "quality": {"parity_my_score", "val_parity_my_score"},
        "learning_rate": {"learning_rate"},
        "epoch_seconds": {"epoch_seconds"},
        "samples_per_second": {"samples_per_second"},
    }
    kinds = {graph["title"]: graph["kind"] for graph in session["graphs"]}
    assert (kinds["quality"], kinds["digit_loss"], kinds["digit_accuracy"]) == ("max", "min", "max")
