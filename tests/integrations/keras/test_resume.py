"""A training continued in another run: the same session, x continues, and no curve runs backwards."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import keras
import pytest

from losswise.integrations import LosswiseKerasCallback
from tests.integrations.keras.fits import BATCH, IMAGES, LABELS, Batches, Raises, at, fit, network, run_script, xs
from tests.integrations.reading import columns
from tests.support.server import Server, eventually


def backed_up(*callbacks: Any, error: Any = None, epochs: int = 4, **options: Any) -> Any:
    """A fit with a backup in the working folder, in a new model, as a script that is started (again) has it."""
    raising = [Raises(error[0], batch=error[2], epoch=error[1])] if error else []
    restorer = keras.callbacks.BackupAndRestore("backup", **options)
    return fit(network(), restorer, *callbacks, *raising, epochs=epochs)


def has_failed(server: Server, *callbacks: Any) -> None:
    for callback in callbacks:
        session = callback.session.id
        eventually(lambda id_=session: server.session(id_)["status"] == "failed", 10)  # type: ignore[misc]


@pytest.mark.parametrize("is_first", [True, False], ids=["before", "behind"])
def test_a_restored_training(watched: Server, is_first: bool) -> None:
    """Killed in the third epoch, restored at its beginning."""

    def run(callback: Any, batches: Any, error: Any = None) -> Any:
        restorer = keras.callbacks.BackupAndRestore("backup")
        ours = [callback, restorer] if is_first else [restorer, callback]
        raising = [Raises(error, epoch=2)] if error else []
        return fit(network(), *ours, batches, *raising, epochs=4)

    killed, before = LosswiseKerasCallback("mine"), Batches()
    with pytest.raises(KeyError):
        run(killed, before, KeyError("killed"))
    has_failed(watched, killed)
    restored, after = LosswiseKerasCallback("mine"), Batches()
    history = run(restored, after).history

    assert restored.session.id == killed.session.id
    session = watched.session(restored.session.id)
    points = columns(watched, session)
    assert points["loss"]["loss"] == at(range(16), before.losses[:8] + after.losses)
    assert xs(points["loss"]["val_loss"]) == [3, 7, 11, 15]
    assert points["loss"]["val_loss"][2:] == at([11, 15], history["val_loss"])
    assert (session["status"], session["max_iter"], session["tag"]) == ("complete", 16, "mine")
    assert not Path("backup").exists(), "Keras ends a backup with the fit, and our file with it"

    fresh = LosswiseKerasCallback("mine")
    run(fresh, Batches())
    assert fresh.session.id != session["id"], "what is complete is not gone on with"


def test_a_backup_of_batches(watched: Server) -> None:
    """Keras restores the weights of a batch and begins that epoch anew: its batches come behind that one."""
    before, after = Batches(), Batches()
    killed = LosswiseKerasCallback()
    with pytest.raises(KeyError):
        backed_up(killed, before, error=(KeyError("killed"), 1, 3), save_freq=3)
    has_failed(watched, killed)
    restored = LosswiseKerasCallback()
    backed_up(restored, after, save_freq=3)
    session = watched.session(restored.session.id)
    assert session["id"] == killed.session.id
    # the sixth batch was the last that was saved: epoch 1, batch 1
    assert columns(watched, session)["loss"]["loss"] == at(range(6 + 12), before.losses[:6] + after.losses)
    assert session["max_iter"] == 18


def test_a_fit_that_is_called_again_in_the_same_script(watched: Server) -> None:
    callback, before, after = LosswiseKerasCallback(), Batches(), Batches()
    with pytest.raises(KeyError):
        backed_up(callback, before, error=(KeyError("a lost connection"), 1, 2))
    backed_up(callback, after)
    session = watched.session(callback.session.id)
    assert columns(watched, session)["loss"]["loss"] == at(range(16), before.losses[:4] + after.losses)
    assert (session["status"], session["max_iter"]) == ("complete", 16)


def test_a_retry_of_an_epoch_whose_end_was_logged(watched: Server) -> None:
    """Keras had not saved it yet: what was taken back is logged again, with few points, too."""
    broken = [KeyError("a lost connection")]

    class Fails(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch == 1 and broken:
                raise broken.pop()

    def run() -> Any:
        return fit(network(), callback, Fails(), keras.callbacks.BackupAndRestore("backup")).history

    callback = LosswiseKerasCallback(log_freq="epoch")
    with pytest.raises(KeyError):
        run()
    history = run()
    points = columns(watched, watched.session(callback.session.id))
    assert [xs(points[name][name]) for name in ("loss", "accuracy", "learning_rate", "epoch_seconds")] == [
        [3, 7, 11]
    ] * 4
    assert points["loss"]["val_loss"][1:] == at([7, 11], history["val_loss"])


def test_every_third_batch_of_a_restored_training(watched: Server) -> None:
    callback = LosswiseKerasCallback(log_freq=3)
    with pytest.raises(KeyError):
        backed_up(callback, error=(KeyError("a lost connection"), 2, 2))
    backed_up(callback)
    points = columns(watched, watched.session(callback.session.id))
    assert xs(points["loss"]["loss"]) == [0, 3, 6, 7, 9, 11, 12, 15]


def test_two_callbacks_keep_their_sessions_apart(watched: Server) -> None:
    def both() -> list[Any]:
        return [LosswiseKerasCallback("one"), LosswiseKerasCallback("other")]

    killed, restored = both(), both()
    with pytest.raises(KeyError):
        backed_up(*killed, error=(KeyError("killed"), 1, 2))
    has_failed(watched, *killed)
    backed_up(*restored)
    ids = [callback.session.id for callback in killed]
    assert ids[0] != ids[1]
    assert [callback.session.id for callback in restored] == ids


def test_a_generator(watched: Server) -> None:
    def run(callback: Any, batches: Any, *others: Any) -> None:
        def data() -> Any:
            while True:
                yield IMAGES[:BATCH], LABELS[:BATCH]

        restorer = keras.callbacks.BackupAndRestore("backup")
        callbacks = [restorer, callback, batches, *others]
        network().fit(data(), steps_per_epoch=5, epochs=3, verbose=0, callbacks=callbacks, shuffle=False)

    before, after = Batches(), Batches()
    killed, callback = LosswiseKerasCallback(), LosswiseKerasCallback()
    with pytest.raises(KeyError):
        run(killed, before, Raises(KeyError("killed"), epoch=2))
    has_failed(watched, killed)
    run(callback, after)
    points = columns(watched, watched.session(callback.session.id))
    assert points["loss"]["loss"] == at(range(15), before.losses[:10] + after.losses)


def test_another_server_has_a_session_of_its_own(watched: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    killed, restored = LosswiseKerasCallback(), LosswiseKerasCallback()
    with monkeypatch.context() as patch:
        patch.setenv("LW_BASE_URL", "http://127.0.0.1:9")
        patch.setenv("LW_END_TIMEOUT", "0.1")
        with pytest.raises(KeyError):
            backed_up(killed, error=(KeyError("killed"), 1, 2))
    backed_up(restored)
    assert restored.session.id != killed.session.id
    assert xs(columns(watched, watched.session(restored.session.id))["loss"]["loss"]) == list(range(12))


KILLED = """
import os
class Kills(t.keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
    def on_train_batch_end(self, batch, logs=None):
        if os.environ.get("KILL") and (self.epoch, batch) == (2, 2):
            callback.session.flush()
            os.kill(os.getpid(), 9)
callback, batches = LosswiseKerasCallback(), t.Batches()
t.fit(t.network(), t.keras.callbacks.BackupAndRestore("backup"), callback, batches, Kills(), epochs=4)
print(batches.losses)
"""


@pytest.mark.full
@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_a_script_that_is_killed_and_started_again(
    watched: Server, clean_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KILL", "yes")
    killed, done = run_script(watched, clean_home, KILLED, cwd=tmp_path)
    assert done.returncode == -9
    assert killed["last_x"] == 10
    monkeypatch.delenv("KILL")
    session, done = run_script(watched, clean_home, KILLED, cwd=tmp_path)
    losses = columns(watched, session)["loss"]["loss"]
    assert session["id"] == killed["id"]
    assert xs(losses) == list(range(16))
    assert [y for _, y in losses[8:]] == eval(done.stdout)
    assert session["max_iter"] == 16


# `resume` without a backup of Keras'


def trained(watched: Server, epochs: int = 3) -> tuple[Any, Batches, str]:
    model, callback, batches = network(), LosswiseKerasCallback(), Batches()
    fit(model, callback, batches, epochs=epochs)
    return model, batches, callback.session.id


def test_resume_at_an_initial_epoch(watched: Server) -> None:
    _, before, session_id = trained(watched)
    callback, after = LosswiseKerasCallback(resume=session_id), Batches()
    fit(network(), callback, after, initial_epoch=2, epochs=4)
    session = watched.session(session_id)
    points = columns(watched, session)
    assert points["loss"]["loss"] == at(range(16), before.losses[:8] + after.losses)
    assert xs(points["loss"]["val_loss"]) == [3, 7, 11, 15]
    assert (session["max_iter"], session["status"]) == (16, "complete")


def test_resume_with_a_saved_model(watched: Server) -> None:
    """Its optimizer has counted the batches."""
    model, before, session_id = trained(watched)
    model.save("model.keras")
    callback, after = LosswiseKerasCallback(resume=session_id), Batches()
    loaded = keras.saving.load_model("model.keras")
    result = loaded.evaluate(IMAGES, LABELS, verbose=0, callbacks=[callback], return_dict=True)
    fit(loaded, callback, after, epochs=1)
    points = columns(watched, watched.session(session_id))
    assert points["loss"]["loss"] == at(range(16), before.losses + after.losses)
    assert points["loss"]["test_loss"] == [(11, result["loss"])]


def test_resume_from_x(watched: Server) -> None:
    _, before, session_id = trained(watched)
    callback, after = LosswiseKerasCallback(resume=session_id, from_x=6), Batches()
    fit(network(), callback, after, epochs=1)
    fit(network(), callback, after, epochs=1)
    points = columns(watched, watched.session(session_id))
    assert points["loss"]["loss"] == at(range(14), before.losses[:6] + after.losses)


def test_resume_takes_nothing_back_where_nothing_tells_from_where(watched: Server) -> None:
    _, before, session_id = trained(watched)
    callback, after = LosswiseKerasCallback(resume=session_id), Batches()
    fit(network(), callback, after, epochs=1)
    losses = columns(watched, watched.session(session_id))["loss"]["loss"]
    assert sorted(losses) == sorted(at(range(12), before.losses) + at(range(4), after.losses))


def test_a_folder_that_cannot_be_written(watched: Server, capfd: pytest.CaptureFixture[str]) -> None:
    """Our file is missing then; the training and Keras' backup are as ever."""
    os.makedirs("backup/losswise-0.new")
    callback = LosswiseKerasCallback()
    history = fit(network(), keras.callbacks.BackupAndRestore("backup"), callback).history
    assert len(history["loss"]) == 3
    assert watched.session(callback.session.id)["status"] == "complete"
    assert capfd.readouterr().err.count("keeping the session beside Keras' backup") == 1
