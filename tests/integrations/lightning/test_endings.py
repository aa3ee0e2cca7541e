"""What a session ends with where several runs share it: what a fit has said stays, until another fit."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.tuner import Tuner

from losswise.integrations import LosswiseLogger
from tests.integrations.lightning.runs import Net, batches, trainer_with
from tests.integrations.reading import columns
from tests.support.server import Server

pytestmark = pytest.mark.filterwarnings("ignore")

FAILED = ("failed", "error", "KeyError")
CANCELLED = ("cancelled", "interrupted", None)
COMPLETE = ("complete", None, None)


class SIGTERMException(SystemExit):
    """As Lightning's, by name."""


def ending(server: Server, logger: LosswiseLogger) -> tuple[str, str | None, str | None]:
    session = server.session(logger.version)
    return session["status"], session["reason"], (session["error"] or {}).get("type")


def fitted(logger: LosswiseLogger, raised: BaseException | None, **options: Any) -> Any:
    """A Trainer whose fit has ended with an error, or without one."""
    trainer = trainer_with(logger, **{"max_epochs": 1, "enable_checkpointing": False, **options})
    with contextlib.suppress(KeyError, SIGTERMException):
        trainer.fit(Net(raises=raised), batches(), batches())
    return trainer


@pytest.mark.parametrize(("raised", "expected"), [(KeyError("a batch"), FAILED), (SIGTERMException(), CANCELLED)])
def test_a_fit_that_failed_stays_so(watched: Server, raised: BaseException, expected: Any) -> None:
    logger = LosswiseLogger("stays")
    trainer = fitted(logger, raised)
    assert ending(watched, logger) == expected

    trainer.predict(Net(), batches())
    assert ending(watched, logger) == expected
    trainer.test(Net(), batches(), verbose=False)
    assert ending(watched, logger) == expected
    trainer.validate(Net(), batches(), verbose=False)
    assert ending(watched, logger) == expected
    loss = columns(watched, watched.session(logger.version))["loss"]
    assert (len(loss["test_loss"]), len(loss["val_loss"])) == (1, 1), "they are in the session"

    trainer_with(logger, max_epochs=1, enable_checkpointing=False).fit(Net(), batches())
    assert ending(watched, logger) == COMPLETE, "a fit decides anew"


def test_predict_and_the_tuner_touch_nothing(watched: Server) -> None:
    logger = LosswiseLogger("untouched")
    statuses: set[str] = set()

    class Looks(Net):
        def on_train_batch_end(self, *_: Any) -> None:
            statuses.add(logger.experiment.status)

        def on_predict_batch_end(self, *_: Any) -> None:
            statuses.add(logger.experiment.status)

    trainer = fitted(logger, KeyError("a batch"))
    before = watched.session(logger.version)
    trainer.predict(Looks(0.25), batches())
    trainer = trainer_with(logger, max_epochs=1, enable_checkpointing=False)
    Tuner(trainer).lr_find(Looks(0.25), batches(), num_training=12)
    assert statuses == {"failed"}, "not opened again"
    assert logger.experiment.flush()
    assert watched.session(logger.version) == before


def test_the_tuner_leaves_an_open_session_open(watched: Server) -> None:
    logger = LosswiseLogger("open")
    logger.log_metrics({"loss": 1.0}, step=0)
    trainer = trainer_with(logger, max_epochs=1, enable_checkpointing=False)
    Tuner(trainer).lr_find(Net(), batches(), num_training=12)
    trainer.predict(Net(), batches())
    logger.experiment.flush()
    assert ending(watched, logger)[0] == "active"
    trainer.fit(Net(), batches())
    assert ending(watched, logger) == COMPLETE


def test_what_a_script_logs_in_predict_ends_as_the_fit_did(watched: Server) -> None:
    class Logs(Net):
        def predict_step(self, batch: Any, index: int) -> Any:
            self.logger.log_metrics({"seen": 1.0}, step=index)
            return super().predict_step(batch, index)

    logger = LosswiseLogger("logs in predict")
    fitted(logger, KeyError("a batch")).predict(Logs(), batches())
    assert ending(watched, logger) == FAILED
    assert len(columns(watched, watched.session(logger.version))["seen"]["seen"]) == 7


def test_a_test_that_raises_after_a_good_fit(watched: Server) -> None:
    class Breaks(Net):
        def test_step(self, batch: Any, index: int) -> None:
            raise KeyError("a test")

    logger = LosswiseLogger("test raises")
    trainer = fitted(logger, None)
    with pytest.raises(KeyError):
        trainer.test(Breaks(), batches(), verbose=False)
    assert ending(watched, logger) == FAILED
    trainer.test(Net(), batches(), verbose=False)
    assert ending(watched, logger) == COMPLETE


@pytest.mark.parametrize("raised", [KeyError("a batch"), None])
def test_a_test_in_another_process(watched: Server, tmp_path: Path, raised: BaseException | None) -> None:
    """A new logger, which continues the session of the checkpoint."""
    first = LosswiseLogger("elsewhere")
    keep = ModelCheckpoint(tmp_path, every_n_train_steps=1)
    fitted(first, raised, enable_checkpointing=True, callbacks=[keep])
    expected = FAILED if raised else COMPLETE
    assert ending(watched, first) == expected

    again = LosswiseLogger("elsewhere")
    trainer_with(again).test(Net(), batches(), ckpt_path=keep.best_model_path, verbose=False)
    assert again.version == first.version
    session = watched.session(first.version)
    assert ending(watched, first) == expected
    assert raised is None or "training_step" in session["error"]["traceback"]
    assert len(columns(watched, session)["loss"]["test_loss"]) == 1
