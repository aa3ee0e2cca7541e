"""The callback among the things that scripts do with models and callbacks: copied, pickled, saved, reused."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from losswise.integrations import LosswiseKerasCallback
from tests.integrations.keras.fits import IMAGES, ROOT, Batches, at, fit, network, xs
from tests.integrations.reading import columns
from tests.support.server import Server, clean_environment


@pytest.mark.full
def test_a_callback_that_is_used_for_another_model(watched: Server) -> None:
    """One session, x going on; the params are those of the last fit."""
    callback, batches = LosswiseKerasCallback(), Batches()
    fit(network(), callback, batches, epochs=1)
    other = network(0.01, metrics=[])
    fit(other, callback, batches, epochs=2, batch_size=200)
    session = watched.session(callback.session.id)
    assert columns(watched, session)["loss"]["loss"] == at(range(8), batches.losses)
    assert (session["max_iter"], session["params"]["batch_size"], session["params"]["epochs"]) == (8, 200, 2)


def test_copies_that_never_trained_have_sessions_of_their_own(watched: Server) -> None:
    """As a tuner makes for each trial."""
    original = LosswiseKerasCallback("trial")
    trials = [copy.deepcopy(original), pickle.loads(pickle.dumps(original)), copy.copy(original)]
    for trial in trials:
        fit(network(), trial, epochs=1)
    assert len({trial.session.id for trial in trials}) == 3
    assert original.session is None


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda callback: pickle.loads(pickle.dumps(callback))])
def test_a_copy_of_one_that_trained_goes_on(watched: Server, duplicate: object) -> None:
    callback, batches = LosswiseKerasCallback("mine", params={"mine": 1}), Batches()
    fit(network(), callback, batches, epochs=1)
    again = duplicate(callback)  # type: ignore[operator]
    fit(network(), again, batches, epochs=1)
    assert again.session.id == callback.session.id
    session = watched.session(callback.session.id)
    assert columns(watched, session)["loss"]["loss"] == at(range(8), batches.losses)
    assert (session["tag"], session["status"], session["params"]["mine"]) == ("mine", "complete", 1)


GOES_ON = """
import pickle, sys
sys.path.insert(0, sys.argv[1])
from tests.integrations.keras import fits as t
callback = pickle.load(open("callback.pickle", "rb"))
t.fit(t.network(), callback, epochs=1)
print(callback.session.id)
"""


@pytest.mark.full
@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_a_pickle_in_another_process(watched: Server, clean_home: Path) -> None:
    callback = LosswiseKerasCallback()
    fit(network(), callback, epochs=1)
    Path("callback.pickle").write_bytes(pickle.dumps(callback))
    environment = clean_environment(clean_home, LW_BASE_URL=watched.url, LW_API_KEY=watched.api_key)
    words = [sys.executable, "-c", GOES_ON, str(ROOT)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == callback.session.id, done.stderr
    points = columns(watched, watched.session(callback.session.id))
    assert xs(points["loss"]["loss"]) == list(range(8))


def test_a_model_that_is_saved_and_cloned_while_it_is_watched(watched: Server) -> None:
    callback, model = LosswiseKerasCallback(), network()

    class Saves(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: object = None) -> None:
            self.model.save("model.keras")
            keras.models.clone_model(self.model)
            copy.deepcopy(callback)
            pickle.dumps(callback)

    checkpoint = keras.callbacks.ModelCheckpoint("best.keras", save_best_only=True)
    fit(model, callback, Saves(), checkpoint, epochs=2)
    loaded = keras.saving.load_model("model.keras")
    assert loaded.predict(IMAGES, verbose=0) == pytest.approx(model.predict(IMAGES, verbose=0), abs=1e-5)
    session = watched.session(callback.session.id)
    assert (session["status"], xs(columns(watched, session)["loss"]["loss"])) == ("complete", list(range(8)))
