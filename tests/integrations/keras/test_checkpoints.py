"""Series of a script's own beside those of the callback, in a training that Keras restores: progress and rewinds."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import pytest

from losswise.cli import main
from losswise.integrations import LosswiseKerasCallback, base
from losswise.integrations.keras.backup import Backup
from tests.integrations.keras.fits import Batches, Raises, at, fit, network, xs
from tests.integrations.reading import columns
from tests.support.server import Server, eventually


class Own(keras.callbacks.Callback):
    """Records on axes of its own: the epoch, and a counter that begins again with each epoch."""

    def __init__(self, callback: Any, name: str) -> None:
        super().__init__()
        self.callback, self.name = callback, name
        self.recorded: dict[str, list[int]] = {"epoch": [], "place": []}

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._add("epoch", 2 * epoch)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._add("place", batch)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._add("epoch", 2 * epoch + 1)

    def _add(self, title: str, x: int) -> None:
        self.callback.session.graph(title).append(x, {self.name: float(x)})
        self.recorded[title].append(x)


ORDERS = ["before", "behind"]


def backed_up(callback: Any, *others: Any, order: str = "before", epochs: int = 4, **options: Any) -> Any:
    restorer = keras.callbacks.BackupAndRestore("backup", **options)
    ours = [callback, *others]
    return fit(network(), *([*ours, restorer] if order == "before" else [restorer, *ours]), epochs=epochs)


def failed(server: Server, callback: Any, *others: Any, at: tuple[int, int], **options: Any) -> Any:
    raises = Raises(KeyError("killed"), epoch=at[0], batch=at[1])
    with pytest.raises(KeyError):
        backed_up(callback, *others, raises, **options)
    if server is not None:
        eventually(lambda: server.session(callback.session.id)["status"] == "failed", 10)


@pytest.mark.parametrize("order", ORDERS)
def test_a_restored_training(watched: Server, order: str) -> None:
    killed = LosswiseKerasCallback("mine")
    failed(watched, killed, Own(killed, "first"), at=(2, 2), order=order)
    restored, batches = LosswiseKerasCallback("mine"), Batches()
    second = Own(restored, "second")
    backed_up(restored, second, batches, order=order)
    assert restored.session.id == killed.session.id
    points = columns(watched, watched.session(restored.session.id))
    assert xs(points["epoch"]["first"]) == [0, 1, 2, 3]
    assert xs(points["place"]["first"]) == sorted([0, 1, 2, 3] * 2)
    assert xs(points["epoch"]["second"]) == second.recorded["epoch"] == [4, 5, 6, 7]
    assert xs(points["place"]["second"]) == sorted(second.recorded["place"])
    assert xs(points["loss"]["loss"]) == list(range(16))
    assert xs(points["loss"]["val_loss"]) == [3, 7, 11, 15]
    assert points["loss"]["loss"][8:] == at(range(8, 16), batches.losses)


@pytest.mark.full
@pytest.mark.parametrize("order", ORDERS)
def test_a_backup_of_batches(watched: Server, order: str) -> None:
    """The sixth batch is the last that is saved: epoch 1, batch 1. Keras begins that epoch again."""
    killed = LosswiseKerasCallback()
    failed(watched, killed, Own(killed, "first"), at=(1, 3), order=order, save_freq=3)
    restored = LosswiseKerasCallback()
    second = Own(restored, "second")
    backed_up(restored, second, order=order, save_freq=3)
    points = columns(watched, watched.session(killed.session.id))
    assert xs(points["loss"]["loss"]) == list(range(6 + 12))
    assert xs(points["epoch"]["first"]) == [0, 1, 2]
    assert xs(points["place"]["first"]) == [0, 0, 1, 1, 2, 3]
    assert xs(points["epoch"]["second"]) == [2, 3, 4, 5, 6, 7]


@pytest.mark.full
def test_a_journal_that_comes_later(watched: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed = LosswiseKerasCallback()
    with monkeypatch.context() as patch:
        patch.setenv("LW_MODE", "offline")
        patch.setenv("LW_JOURNAL_DIR", str(tmp_path / "left"))
        failed(None, killed, Own(killed, "first"), at=(2, 2))  # type: ignore[arg-type]
    restored = LosswiseKerasCallback()
    backed_up(restored, Own(restored, "second"))
    assert main(["sync", str(tmp_path / "left")]) == 0
    points = columns(watched, watched.session(restored.session.id))
    assert xs(points["loss"]["loss"]) == list(range(16))
    assert xs(points["epoch"]["first"]) == [0, 1, 2, 3]
    assert len(points["place"]["first"]) == 8


@pytest.mark.full
def test_a_fit_that_is_called_again_in_the_same_script(watched: Server) -> None:
    callback = LosswiseKerasCallback()
    failed(watched, callback, Own(callback, "first"), at=(1, 2))
    backed_up(callback, Own(callback, "second"))
    points = columns(watched, watched.session(callback.session.id))
    assert xs(points["epoch"]["first"]) == [0, 1]
    assert xs(points["epoch"]["second"]) == [2, 3, 4, 5, 6, 7]


@pytest.mark.full
def test_a_file_of_an_older_version_goes_back_by_x(watched: Server) -> None:
    import json

    killed = LosswiseKerasCallback()
    failed(watched, killed, Own(killed, "first"), at=(2, 2))
    path = Path("backup/losswise-0.json")
    content = json.loads(path.read_text())
    del content["marks"]
    path.write_text(json.dumps(content))
    restored = LosswiseKerasCallback()
    backed_up(restored)
    points = columns(watched, watched.session(restored.session.id))
    assert xs(points["loss"]["loss"]) == list(range(16))
    assert len(points["place"]["first"]) == 11, "all of its x are before that of the backup"


# progress


class Waits(keras.callbacks.Callback):
    """Waits after a batch until the server has been told of it."""

    def __init__(self, server: Server, callback: Any, *batches: int) -> None:
        super().__init__()
        self.server, self.callback, self.batches, self.done = server, callback, batches, 0
        self.seen: list[Any] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.done += 1
        if self.done in self.batches:
            id_ = self.callback.session.id
            self.seen.append(eventually(lambda: (row := self.server.session(id_))["steps"] == self.done and row))


def test_progress_is_that_of_the_batches(watched: Server) -> None:
    callback = LosswiseKerasCallback()

    class Ahead(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            callback.session.graph("ahead").append(1_000 + batch, {"y": 1.0})

    waits = Waits(watched, callback, 2, 4)
    fit(network(), callback, Ahead(), waits, epochs=6)
    assert [one["progress"] for one in waits.seen] == [2 / 24, 4 / 24]
    assert waits.seen[1]["updated_at"] < waits.seen[1]["eta"] < waits.seen[1]["updated_at"] + 600
    session = watched.session(callback.session.id)
    assert (session["steps"], session["last_x"], session["progress"]) == (24, 23, 1.0)


@pytest.mark.full
def test_progress_of_a_restored_training(watched: Server) -> None:
    killed = LosswiseKerasCallback()
    failed(watched, killed, at=(2, 2))
    assert watched.session(killed.session.id)["steps"] == 11
    restored = LosswiseKerasCallback()
    waits = Waits(watched, restored)
    waits.done, waits.batches = 8, (10,)
    backed_up(restored, waits)
    assert waits.seen[0]["progress"] == 10 / 16
    assert watched.session(killed.session.id)["steps"] == 16


# several trainings from one backup


class Config(Mapping[str, Any]):
    """Params of which one cannot be read, as in a configuration with an unresolvable reference."""

    def __iter__(self) -> Iterator[str]:
        return iter(("fine", "missing"))

    def __len__(self) -> int:
        return 2

    def __getitem__(self, name: str) -> Any:
        if name == "missing":
            raise LookupError(name)
        return 1


@pytest.mark.full
@pytest.mark.parametrize("how", ["one process", "another process"])
def test_two_trainings_from_copies_of_a_backup(watched: Server, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    killed = LosswiseKerasCallback("copied", params=Config())
    failed(watched, killed, at=(2, 2))
    shutil.copytree("backup", "kept")
    one = LosswiseKerasCallback("copied", params=Config())
    backed_up(one)
    assert one.session.id == killed.session.id
    before = watched.session(one.session.id)
    assert before["status"] == "complete"
    shutil.copytree("kept", "backup")
    if how == "another process":
        monkeypatch.setattr(base, "_endings", {})
    other = LosswiseKerasCallback("copied", params=Config())
    backed_up(other)
    assert watched.session(one.session.id) == before
    session = watched.session(other.session.id)
    assert session["id"] != before["id"]
    assert xs(columns(watched, session)["loss"]["loss"]) == list(range(8, 16))
    assert (session["params"]["fine"], session["params"]["missing"]) == (1, "<LookupError>")
    assert session["params"]["branched_from"] == {"session": before["id"], "step": 8}
    assert (session["status"], session["steps"], session["max_iter"]) == ("complete", 16, 16)


def test_a_version_of_keras_with_other_internals_ends_no_fit(
    watched: Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    callback = LosswiseKerasCallback("renamed")

    class Renamed(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            monkeypatch.setattr(Backup, "last_batch", property(lambda backup: backup.renamed))

    fit(network(), callback, keras.callbacks.BackupAndRestore("backup", save_freq=2), Renamed(), epochs=1)
    assert watched.session(callback.session.id)["status"] == "complete"
    assert "noting a backup" in capfd.readouterr().err
