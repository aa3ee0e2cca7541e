"""A training that goes back to a checkpoint, with series on several x axes: what was recorded after it is removed.

The reference is the same training stopped where the checkpoint was saved, and what a CSVLogger beside recorded of the
run that goes on from there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger

from losswise.cli import main
from losswise.integrations import LosswiseLogger
from losswise.integrations.lightning.checkpoint import read_checkpoint
from losswise.session_training import Mark
from tests.integrations.lightning.runs import (
    Net,
    Points,
    StopsAt,
    batches,
    csv_points,
    flat,
    ids_of,
    run_script,
    trainer_with,
)
from tests.support.server import Server, eventually

pytestmark = pytest.mark.filterwarnings("ignore")


class Axes(Net):
    """Logs on the global step, on Lightning's count of validation batches, on the epoch, and on two of its own."""

    def __init__(self) -> None:
        torch.manual_seed(1)
        super().__init__()

    def validation_step(self, batch: Any, index: int, dataloader_idx: int = 0) -> None:
        self.log("val_loss", self.loss(batch), on_step=True, on_epoch=True)

    def on_train_epoch_start(self) -> None:
        self.record({"started": 1.0 + self.current_epoch}, self.current_epoch)

    def on_train_epoch_end(self) -> None:
        self.record({"score": 10.0 + self.current_epoch}, self.current_epoch)

    def on_train_batch_end(self, outputs: Any, batch: Any, index: int) -> None:
        self.record({"place": float(self.global_step)}, index)

    def record(self, metrics: dict[str, float], step: int) -> None:
        for logger in self.loggers:
            logger.log_metrics(metrics, step=step)


SAVES: list[Any] = [
    pytest.param({}, 7, id="epoch's end"),
    pytest.param({"every_n_train_steps": 5}, 10, id="in an epoch"),
    pytest.param({"every_n_train_steps": 7}, 7, id="last step of an epoch"),
    pytest.param({"monitor": "val_loss", "save_on_train_epoch_end": False}, 7, id="validation's end"),
]


def train(logger: Any, *callbacks: Any, path: str | None = None, beside: Any = None, **options: Any) -> Any:
    """Three epochs of seven steps."""
    loggers = [logger] if beside is None else [logger, beside]
    options = {"enable_checkpointing": any(isinstance(one, ModelCheckpoint) for one in callbacks), **options}
    trainer = trainer_with(*loggers, callbacks=list(callbacks), **options)
    trainer.fit(Axes(), batches(), batches(), ckpt_path=path)
    return trainer


def stopped(logger: Any, at: int, *callbacks: Any, **options: Any) -> None:
    with pytest.raises(RuntimeError, match="power"):
        train(logger, *callbacks, StopsAt(at), **options)


def keeps(folder: Path, **when: Any) -> ModelCheckpoint:
    return ModelCheckpoint(folder, save_top_k=-1, filename="{step}", **when)


def merged(*parts: Points) -> Points:
    """The points of several runs by name, by x and then in order."""
    names = {name for points in parts for name in points}
    return {name: sorted((p for points in parts for p in points.get(name, [])), key=lambda p: p[0]) for name in names}


def before(server: Server, at: int, **options: Any) -> Points:
    """What is recorded until step `at` begins."""
    logger = LosswiseLogger("reference")
    stopped(logger, at, **options)
    points = flat(server, logger.version)
    # the crash comes after what the epoch's start records, which the training that goes on records again
    if at % 7 == 0:
        points["started"] = points["started"][:-1]
    return points


@pytest.mark.parametrize(("when", "x"), SAVES)
def test_nothing_is_lost_and_nothing_stale_stays(watched: Server, tmp_path: Path, when: dict[str, Any], x: int) -> None:
    first, again, beside = LosswiseLogger("mine"), LosswiseLogger("mine"), CSVLogger(str(tmp_path))
    stopped(first, 12, keeps(tmp_path, **when))
    train(again, path=str(tmp_path / f"step={x}.ckpt"), beside=beside)
    assert again.version == first.version
    found = flat(watched, again.version)
    assert found == merged(before(watched, x), csv_points(beside))
    assert [x for x, _ in found["train_loss_step"]] == list(range(21))
    # behind a checkpoint from the end of the validation, Lightning ends the epoch again
    assert [x for x, _ in found["score"]] == [*([0] if "monitor" in when else []), 0, 1, 2]
    assert watched.session(again.version)["status"] == "complete"


class SavesAt(pl.Callback):
    """Saves a checkpoint in the middle of a step, which is done again by who resumes from it."""

    def __init__(self, step: int, path: Path) -> None:
        self.step, self.path = step, path

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, index: int) -> None:
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)


def test_a_checkpoint_in_the_middle_of_a_step(watched: Server, tmp_path: Path) -> None:
    first, again, beside = LosswiseLogger("middle"), LosswiseLogger("middle"), CSVLogger(str(tmp_path))
    stopped(first, 12, SavesAt(9, tmp_path / "nine.ckpt"))
    train(again, path=str(tmp_path / "nine.ckpt"), beside=beside)
    found = flat(watched, again.version)
    assert found == merged(before(watched, 9), csv_points(beside))
    assert len({x for x, _ in found["train_loss_step"]}) == len(found["train_loss_step"]), "no x twice"


@pytest.mark.full
def test_in_one_process_with_one_logger(watched: Server, tmp_path: Path) -> None:
    logger, beside = LosswiseLogger("one"), CSVLogger(str(tmp_path))
    stopped(logger, 12, keeps(tmp_path))
    train(logger, path=str(tmp_path / "step=7.ckpt"), beside=beside)
    assert flat(watched, logger.version) == merged(before(watched, 7), csv_points(beside))


@pytest.mark.full
def test_again_and_again_from_the_same_checkpoint(watched: Server, tmp_path: Path) -> None:
    """As a job that is preempted before it can save another one."""
    path = str(tmp_path / "step=7.ckpt")
    stopped(LosswiseLogger("again"), 12, keeps(tmp_path))
    for at in (9, 16):
        stopped(LosswiseLogger("again"), at, path=path)
    last, beside = LosswiseLogger("again"), CSVLogger(str(tmp_path))
    train(last, path=path, beside=beside)
    assert flat(watched, last.version) == merged(before(watched, 7), csv_points(beside))


def test_a_resumed_run_is_resumed(watched: Server, tmp_path: Path) -> None:
    """From its own checkpoint, and then from one of the first run."""
    loggers = [LosswiseLogger("chain") for _ in range(4)]
    csv = [CSVLogger(str(tmp_path), version=str(number)) for number in range(3)]
    stopped(loggers[0], 12, keeps(tmp_path / "a"))
    stopped(loggers[1], 16, keeps(tmp_path / "b"), path=str(tmp_path / "a" / "step=7.ckpt"), beside=csv[0])
    path = str(tmp_path / "b" / "step=14.ckpt")
    stopped(loggers[2], 18, path=path, beside=csv[1])
    found = flat(watched, loggers[2].version)
    assert [x for x, _ in found["train_loss_step"]] == list(range(18))
    assert [x for x, _ in found["score"]] == [0, 1]
    assert [x for x, _ in found["started"]] == [0, 1, 2]
    train(loggers[3], path=str(tmp_path / "a" / "step=7.ckpt"), beside=csv[2])
    assert len({logger.version for logger in loggers}) == 1
    assert flat(watched, loggers[3].version) == merged(before(watched, 7), csv_points(csv[2]))


def test_a_journal_that_comes_later(watched: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first run was offline, and only its checkpoint reaches the machine that goes on."""
    first, again, beside = LosswiseLogger("late"), LosswiseLogger("late"), CSVLogger(str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setenv("LW_MODE", "offline")
        patch.setenv("LW_JOURNAL_DIR", str(tmp_path / "left"))
        stopped(first, 12, keeps(tmp_path))
    train(again, path=str(tmp_path / "step=7.ckpt"), beside=beside)
    before_sync = watched.session(again.version)["points"]
    assert main(["sync", str(tmp_path / "left")]) == 0
    assert watched.session(again.version)["points"] > before_sync
    found, expected = flat(watched, again.version), merged(before(watched, 7), csv_points(beside))
    # at one x, what arrives later comes later
    assert {name: sorted(points) for name, points in found.items()} == {
        name: sorted(points) for name, points in expected.items()
    }
    session = watched.session(again.version)
    assert (session["status"], session["steps"], session["last_x"]) == ("complete", 21, 20)


@pytest.mark.full
def test_several_processes_of_the_first_run_come_later(
    watched: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journals of a run and of the one that resumed it, in the wrong order, after a third has gone on."""
    loggers = [LosswiseLogger("late") for _ in range(3)]
    csv = [CSVLogger(str(tmp_path), version=str(number)) for number in range(2)]
    with monkeypatch.context() as patch:
        patch.setenv("LW_MODE", "offline")
        patch.setenv("LW_JOURNAL_DIR", str(tmp_path / "one"))
        stopped(loggers[0], 12, keeps(tmp_path / "a"))
        patch.setenv("LW_JOURNAL_DIR", str(tmp_path / "two"))
        stopped(loggers[1], 16, keeps(tmp_path / "b"), path=str(tmp_path / "a" / "step=7.ckpt"), beside=csv[0])
    train(loggers[2], path=str(tmp_path / "b" / "step=14.ckpt"), beside=csv[1])
    for folder in ("two", "one"):
        assert main(["sync", str(tmp_path / folder)]) == 0
    found = flat(watched, loggers[2].version)
    assert [x for x, _ in found["train_loss_step"]] == list(range(21))
    assert [x for x, _ in found["score"]] == [0, 1, 2]
    assert [x for x, _ in found["started"]] == [0, 1, 2]
    assert len(found["place"]) == 21
    assert len(found["val_loss_step"]) == 21


KILLED = """
    class Killed(Net):
        def on_train_batch_start(self, batch, index):
            if {kills} and self.global_step == 12:
                import os, signal
                logger.session.flush()
                os.kill(os.getpid(), signal.SIGKILL)
        def on_train_epoch_end(self):
            logger.log_metrics({{"score": 1.0}}, step=self.current_epoch)
    keep = pl.callbacks.ModelCheckpoint("kept", save_top_k=-1, filename="{{step}}")
    logger = LosswiseLogger("killed {mode}")
    trainer = trainer_with(logger, enable_checkpointing=True, callbacks=[keep], max_epochs=3)
    trainer.fit(Killed(), batches(), ckpt_path={path!r})
"""


@pytest.mark.full
@pytest.mark.parametrize("mode", ["online", "offline"])
def test_a_killed_script(watched: Server, tmp_path: Path, mode: str) -> None:
    """Offline, its journal is sent after the script that goes on has ended."""
    left = tmp_path / "left"
    before = f"import os; os.environ.update(LW_MODE={mode!r}, LW_JOURNAL_DIR={str(left)!r})"
    with pytest.raises(AssertionError):
        run_script(watched, tmp_path, KILLED.format(kills=True, path=None, mode=mode), before=before)
    run_script(watched, tmp_path, KILLED.format(kills=False, path="kept/step=8.ckpt", mode=mode))
    [id_] = ids_of(watched, f"killed {mode}")
    assert len(flat(watched, id_)["train_loss"]) == (24 if mode == "online" else 16)
    assert main(["sync", str(left)]) == 0
    found = flat(watched, id_)
    assert [x for x, _ in found["train_loss"]] == list(range(24))
    assert [x for x, _ in found["score"]] == [0, 1, 2]


def test_an_older_checkpoint_goes_back_by_x(watched: Server, tmp_path: Path) -> None:
    first, again = LosswiseLogger("older"), LosswiseLogger("older")
    stopped(first, 12, keeps(tmp_path))
    path = str(tmp_path / "step=7.ckpt")
    content = torch.load(path, weights_only=False)
    content["losswise_sessions"] = [{"id": first.version, "logger": first.fingerprint}]
    torch.save(content, path)
    train(again, path=path)
    found = flat(watched, again.version)
    assert [x for x, _ in found["train_loss_step"]] == list(range(21))
    assert len(found["place"]) == 7 + 5 + 14, "all of its x are before the checkpoint's"


@pytest.mark.full
def test_the_best_and_the_last_checkpoint_have_one_mark(watched: Server, tmp_path: Path) -> None:
    logger = LosswiseLogger("two at once")
    keep = ModelCheckpoint(tmp_path, monitor="train_loss_epoch", save_last=True, save_top_k=-1)
    train(logger, keep, max_epochs=1)
    found = [read_checkpoint(path) for path in tmp_path.glob("*.ckpt")]
    assert len(found) == 2
    kept = [Mark.read(one.sessions[0]).kept for one in found if one is not None]
    assert kept[0] == kept[1]
    assert list(kept[0].values()) == [2], "the first mark is that of the fit's start"


def test_a_damaged_mark_is_none() -> None:
    good = {"kept": {"0" * 20: 3}, "t": 5.0}
    assert Mark.read(good) == Mark({"0" * 20: 3}, 5.0)
    for bad in (
        None,
        7,
        {},
        {"kept": [], "t": 5.0},
        {**good, "t": "5"},
        {**good, "t": float("nan")},
        {**good, "t": -1.0},
    ):
        assert Mark.read(bad) is None
    odd = {"0" * 20: 3, "1" * 20: 0, "2" * 20: True, "3" * 20: 2**70, "4": 1, 5: 1}
    assert Mark.read({"kept": odd, "t": 5.0}) == Mark({"0" * 20: 3}, 5.0)
    assert len(Mark.read({"kept": {f"{n:020x}": 1 for n in range(500)}, "t": 5.0}).kept) == 100


# progress


class WaitsAt(pl.Callback):
    """Waits before some steps until the server has been told that they are reached."""

    def __init__(self, server: Server, logger: LosswiseLogger, *steps: int) -> None:
        self.server, self.logger, self.steps = server, logger, steps
        self.seen: list[Any] = []

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, index: int) -> None:
        if trainer.global_step in self.steps:
            session = self.logger.session
            assert session is not None
            told = eventually(lambda: (row := self.server.session(session.id))["steps"] == trainer.global_step and row)
            self.seen.append(told)


def test_progress_is_that_of_the_trainer(watched: Server) -> None:
    """In the first of six epochs, while the validation counts its batches much faster."""
    logger = LosswiseLogger("progress")
    waits = WaitsAt(watched, logger, 2, 4)
    with pytest.raises(RuntimeError):
        train(logger, waits, StopsAt(5), max_epochs=6, val_check_interval=1)
    assert [one["progress"] for one in waits.seen] == [2 / 42, 4 / 42]
    assert [one["last_x"] for one in waits.seen] == [1, 3]
    assert max(x for x, _ in flat(watched, logger.version)["val_loss_step"]) > 20
    eta, at = waits.seen[1]["eta"], waits.seen[1]["updated_at"]
    assert at < eta < at + 600
    assert watched.session(logger.version)["steps"] == 5


@pytest.mark.full
def test_progress_of_a_resumed_fit(watched: Server, tmp_path: Path) -> None:
    first = LosswiseLogger("progress")
    stopped(first, 12, keeps(tmp_path), max_epochs=6)
    assert watched.session(first.version)["steps"] == 12
    again = LosswiseLogger("progress")
    waits = WaitsAt(watched, again, 9)
    stopped(again, 10, waits, path=str(tmp_path / "step=7.ckpt"), max_epochs=6)
    assert (waits.seen[0]["steps"], waits.seen[0]["progress"]) == (9, 9 / 42)
    session = watched.session(first.version)
    assert (session["steps"], session["last_x"], session["max_iter"]) == (10, 9, 42)


def test_progress_without_a_total(watched: Server) -> None:
    logger = LosswiseLogger("endless")
    stopped(logger, 12, max_epochs=-1)
    session = watched.session(logger.version)
    assert (session["steps"], session["last_x"], session["max_iter"], session["progress"]) == (12, 11, None, None)


def test_a_test_tells_no_progress(watched: Server) -> None:
    logger = LosswiseLogger("tested")
    trainer_with(logger).test(Net(), batches(), verbose=False)
    assert watched.session(logger.version)["steps"] is None
