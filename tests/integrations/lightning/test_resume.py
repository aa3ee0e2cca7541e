"""A training restarted from a checkpoint continues its session, and no curve runs backwards."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger

from losswise.integrations import LosswiseLogger
from losswise.integrations.lightning.checkpoint import read_checkpoint
from tests.integrations.lightning.runs import Net, StopsAt, batches, csv_points, flat, ids_of, run_script, trainer_with
from tests.support.server import Server

pytestmark = pytest.mark.filterwarnings("ignore")


def crashed(logger: LosswiseLogger, folder: Path, at: int, **when: Any) -> str:
    """The last checkpoint of a training of three epochs of seven steps that fails at a step."""
    keep = ModelCheckpoint(folder, save_top_k=-1, **when)
    with pytest.raises(RuntimeError):
        trainer_with(logger, callbacks=[keep, StopsAt(at)]).fit(Net(), batches(), batches())
    return str(max(folder.glob("*.ckpt"), key=os.path.getmtime))


@pytest.mark.parametrize(
    ("when", "goes_on"),
    [
        ({}, 7),
        ({"every_n_train_steps": 5}, 10),
        ({"monitor": "val_loss", "save_on_train_epoch_end": False}, 7),
    ],
    ids=["epoch's end", "in an epoch", "validation's end"],
)
def test_it_goes_on_in_the_same_session(watched: Server, tmp_path: Path, when: dict[str, Any], goes_on: int) -> None:
    first = LosswiseLogger("restarted")
    path = crashed(first, tmp_path / "kept", at=12, **when)
    before = flat(watched, first.version)
    assert watched.session(first.version)["status"] == "failed"

    again, beside = LosswiseLogger("restarted"), CSVLogger(str(tmp_path))
    trainer_with(again, beside, enable_checkpointing=False).fit(Net(), batches(), batches(), ckpt_path=path)
    assert again.version == first.version
    session = watched.session(first.version)
    assert (session["status"], session["max_iter"]) == ("complete", 21)
    after, recorded = flat(watched, first.version), csv_points(beside)
    assert recorded["train_loss_step"][0][0] == goes_on
    for name, points in after.items():
        kept = [point for point in before.get(name, []) if point[0] < goes_on]
        assert points == kept + recorded.get(name, []), name
        xs = [x for x, _ in points]
        assert xs == sorted(xs), f"{name} runs backwards"
    assert [x for x, _ in after["train_loss_step"]] == list(range(21))


def test_a_second_fit_in_the_same_process(watched: Server, tmp_path: Path) -> None:
    logger = LosswiseLogger("again in one process")
    path = crashed(logger, tmp_path, at=12)
    trainer_with(logger, enable_checkpointing=False).fit(Net(), batches(), ckpt_path=path)
    assert ids_of(watched, "again in one process") == [logger.version]
    assert [x for x, _ in flat(watched, logger.version)["train_loss_step"]] == list(range(21))


def test_a_rewind_in_one_process_logs_the_epoch_again(watched: Server, tmp_path: Path) -> None:
    logger = LosswiseLogger("epoch again")
    path = crashed(logger, tmp_path, at=12, every_n_train_steps=11)
    trainer_with(logger, enable_checkpointing=False).fit(Net(), batches(), ckpt_path=path)
    assert [x for x, _ in flat(watched, logger.version)["epoch"]] == list(range(21))


def test_what_was_logged_just_before_is_taken_back(watched: Server, tmp_path: Path) -> None:
    logger = LosswiseLogger("just before")
    path = crashed(logger, tmp_path, at=12)

    class Logs(Net):
        def prepare_data(self) -> None:
            for x in (3, 15, 16):
                logger.log_metrics({"of before": 0.0}, step=x)

    trainer_with(logger, enable_checkpointing=False).fit(Logs(), batches(), ckpt_path=path)
    assert flat(watched, logger.version)["of before"] == [(3, 0.0)]


@pytest.mark.full
def test_a_script_that_is_started_again(watched: Server, tmp_path: Path) -> None:
    body = """
        import glob
        keep = pl.callbacks.ModelCheckpoint("kept", save_top_k=-1)
        logger = LosswiseLogger("twice", save_dir="logs")
        trainer = trainer_with(logger, enable_checkpointing=True, callbacks=[keep], max_epochs={epochs})
        trainer.fit(Net(), batches(), ckpt_path=max(glob.glob("kept/*.ckpt"), default=None))
    """
    run_script(watched, tmp_path, body.format(epochs=2))
    printed = run_script(watched, tmp_path, body.format(epochs=4))
    assert "a new one was created" not in printed
    [id_] = ids_of(watched, "twice")
    assert [x for x, _ in flat(watched, id_)["train_loss"]] == list(range(32))


def test_other_arguments_make_another_session(watched: Server, tmp_path: Path) -> None:
    first = LosswiseLogger("base")
    path = crashed(first, tmp_path, at=12)
    points = flat(watched, first.version)
    for other in (
        LosswiseLogger("tuned"),
        LosswiseLogger("base", params={"rate": 2}),
        LosswiseLogger("base", prefix="a"),
    ):
        trainer_with(other, enable_checkpointing=False, max_epochs=2).fit(Net(), batches(), ckpt_path=path)
        assert other.version != first.version
    assert flat(watched, first.version) == points


def test_an_own_id_wins(watched: Server, tmp_path: Path) -> None:
    first, mine = LosswiseLogger("first"), LosswiseLogger("mine")
    path = crashed(first, tmp_path, at=12)
    mine.log_metrics({"train_loss_step": 1.0}, step=3)
    mine.finalize("success")
    again = LosswiseLogger(resume=mine.version)
    trainer_with(again, enable_checkpointing=False, max_epochs=2).fit(Net(), batches(), ckpt_path=path)
    assert again.version == mine.version
    assert [x for x, _ in flat(watched, mine.version)["train_loss_step"]] == [3, *range(7, 14)]


def test_two_loggers_each_go_on(watched: Server, tmp_path: Path) -> None:
    def loggers() -> list[LosswiseLogger]:
        return [LosswiseLogger("same"), LosswiseLogger("other"), LosswiseLogger("same")]

    first, again = loggers(), loggers()
    trainer = trainer_with(*first, max_epochs=1, callbacks=[ModelCheckpoint(tmp_path)])
    trainer.fit(Net(), batches())
    path = trainer.checkpoint_callback.best_model_path
    trainer_with(*again, max_epochs=2, enable_checkpointing=False).fit(Net(), batches(), ckpt_path=path)
    assert [one.version for one in again] == [one.version for one in first]
    assert len({one.version for one in first}) == 3
    for one in first:
        assert [x for x, _ in flat(watched, one.version)["train_loss_step"]] == list(range(14))


class Adversaries(Net):
    """Two optimizers, by hand: the trainer's global step counts both, x counts batches."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch: Any, index: int) -> None:
        for optimizer in self.optimizers():
            loss = self.loss(batch)
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
        self.log("train_loss", loss)

    def configure_optimizers(self) -> Any:
        return [torch.optim.SGD(self.parameters(), lr=0.1), torch.optim.SGD(self.parameters(), lr=0.01)]


def test_several_optimizers(watched: Server, tmp_path: Path) -> None:
    keep = ModelCheckpoint(tmp_path, save_top_k=-1)
    first, again = LosswiseLogger("two optimizers"), LosswiseLogger("two optimizers")
    with pytest.raises(RuntimeError):
        trainer_with(first, max_epochs=2, callbacks=[keep, StopsAt(24)]).fit(Adversaries(), batches())
    path = next(str(path) for path in tmp_path.glob("epoch=0*.ckpt"))
    trainer_with(again, max_steps=34, max_epochs=-1, enable_checkpointing=False).fit(
        Adversaries(), batches(), ckpt_path=path
    )
    assert again.version == first.version
    assert [x for x, _ in flat(watched, first.version)["train_loss"]] == list(range(17))
    assert watched.session(first.version)["max_iter"] == 17


def test_a_test_from_a_checkpoint_takes_nothing_back(watched: Server, tmp_path: Path) -> None:
    first, again = LosswiseLogger("tested"), LosswiseLogger("tested")
    path = crashed(first, tmp_path, at=12)
    before = flat(watched, first.version)
    trainer_with(again).test(Net(), batches(), ckpt_path=path, verbose=False)
    assert again.version == first.version
    after = flat(watched, first.version)
    assert len(after.pop("test_loss")) == 1
    assert after["train_loss_step"] == before["train_loss_step"]


def test_a_checkpoint_of_another_logger(watched: Server, tmp_path: Path) -> None:
    trainer = trainer_with(CSVLogger(str(tmp_path)), max_epochs=1, callbacks=[ModelCheckpoint(tmp_path)])
    trainer.fit(Net(), batches())
    logger = LosswiseLogger("from elsewhere")
    path = trainer.checkpoint_callback.best_model_path
    trainer_with(logger, max_epochs=2, enable_checkpointing=False).fit(Net(), batches(), ckpt_path=path)
    assert [x for x, _ in flat(watched, logger.version)["train_loss_step"]] == list(range(7, 14))


def test_a_checkpoint_loads_without_losswise(watched: Server, tmp_path: Path) -> None:
    logger = LosswiseLogger()
    path = crashed(logger, tmp_path, at=12)
    whole = torch.load(path, weights_only=True)
    assert [one["id"] for one in whole["losswise_sessions"]] == [logger.version]
    assert "Losswise" not in str(whole["callbacks"])
    assert Net.load_from_checkpoint(path).hparams.learning_rate == 0.1


class Runs:
    """Code that a malicious file would run when it is unpickled."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("it-ran",)


def test_reading_executes_nothing(watched: Server, tmp_path: Path) -> None:
    torch.save({"losswise_sessions": [{"id": "0" * 20, "logger": "a"}, 7], "x": Runs(), "global_step": 5}, "evil.ckpt")
    found = read_checkpoint("evil.ckpt")
    assert found == ([{"id": "0" * 20, "logger": "a"}], 5)
    assert not os.path.exists("it-ran")
    for content in (b"", b"PK\x03\x04", b"what is no checkpoint"):
        Path("broken.ckpt").write_bytes(content)
        assert read_checkpoint("broken.ckpt") is None
    assert read_checkpoint("absent.ckpt") is None
