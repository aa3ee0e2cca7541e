"""What LosswiseLogger adds to a step of Lightning's `fit`, beside a logger that does nothing."""

from __future__ import annotations

import functools
import logging
import os
import sys
import warnings
from importlib.util import find_spec
from typing import Any

from benchmarks.support import slowdown
from benchmarks.support.measuring import Result
from benchmarks.support.process_metrics import Turns
from benchmarks.support.report import Row

BATCH, FEATURES, CLASSES = 4, 4, 8


def run(quick: bool) -> list[Row]:
    has_peer = any(find_spec(name) is not None for name in ("tensorboard", "tensorboardX"))
    return slowdown.rows("lightning_fit", has_peer, quick)


# in the measured process


def fit(how: str, turns: int, length: int) -> Result:
    """Train for so many turns of so many steps, logged at each."""
    import pytorch_lightning as pl
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    # what Lightning says of devices and worker processes says nothing here
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    torch.set_num_threads(1)
    clock = Turns(turns, length)
    logger, peer = _logger(how)
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        log_every_n_steps=1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        logger=_in_turns(clock, logger),
        default_root_dir=os.environ["HOME"],
    )
    model = _module()(clock)
    trainer.fit(model, DataLoader(TensorDataset(torch.zeros(clock.steps * BATCH, FEATURES)), batch_size=BATCH))
    return {**model.result, "peer": peer}


def _logger(how: str) -> tuple[Any, str]:
    if how == slowdown.PEER:
        from pytorch_lightning.loggers import TensorBoardLogger

        logger = TensorBoardLogger(os.environ["HOME"])
        return logger, f"TensorBoardLogger ({type(logger.experiment).__module__.partition('.')[0]})"
    from losswise.integrations import LosswiseLogger

    return LosswiseLogger("fit", track_git=False, command_line=False), ""


def _in_turns(clock: Turns, logger: Any) -> Any:
    """The logger, and in the clock's other turns one that does nothing."""
    from pytorch_lightning.loggers.logger import Logger

    class Empty(Logger):
        name, version = "empty", "0"

        def log_metrics(self, metrics: Any, step: int | None = None) -> None:
            pass

        def log_hyperparams(self, params: Any, *rest: Any) -> None:
            pass

    class InTurns(Empty):
        empty = Empty()

        def log_metrics(self, metrics: Any, step: int | None = None) -> None:
            (logger if clock.is_on else self.empty).log_metrics(metrics, step)

        def log_hyperparams(self, params: Any, *rest: Any) -> None:
            logger.log_hyperparams(params, *rest)

        def log_graph(self, model: Any, input_array: Any = None) -> None:
            logger.log_graph(model, input_array)

        def save(self) -> None:
            logger.save()

        def finalize(self, status: str) -> None:
            logger.finalize(status)

    return InTurns()


@functools.cache
def _module() -> Any:
    import pytorch_lightning as pl
    import torch

    class Module(pl.LightningModule):
        def __init__(self, clock: Turns) -> None:
            super().__init__()
            self.clock = clock
            self.result: Result = {}
            self.net = torch.nn.Linear(FEATURES, CLASSES)

        def training_step(self, batch: Any, index: int) -> Any:
            self.clock.tick()
            output = self.net(batch[0])
            loss = (output**2).mean()
            self.log("train_loss", loss)
            self.log("train_accuracy", (output > 0).float().mean())
            return loss

        def on_train_epoch_end(self) -> None:
            # the end of `fit` waits for the server, which is no step
            self.result = self.clock.result()

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.01)

    return Module


if __name__ == "__main__":
    from benchmarks.__main__ import main

    sys.exit(main(names=("lightning_fit",)))
