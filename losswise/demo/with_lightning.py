"""Train the demo's runs with Lightning: a Trainer and LosswiseLogger."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from typing import Any

try:
    import lightning.pytorch as pl
except ModuleNotFoundError:
    import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from losswise.demo.digits import CLASSES, RUNS, DemoPace, Digits, Run
from losswise.integrations.lightning.logger import LosswiseLogger

EPOCHS = 6


class Classifier(pl.LightningModule):  # type: ignore[misc,unused-ignore]
    """A network with one hidden layer, written as usual for Lightning."""

    def __init__(self, run: Run, pace: DemoPace) -> None:
        super().__init__()
        self.learning_rate, self.momentum, self.pace = run.learning_rate, run.momentum, pace
        self.net = nn.Sequential(nn.Linear(64, run.hidden), nn.ReLU(), nn.Linear(run.hidden, CLASSES))

    def training_step(self, batch: Any, index: int) -> Any:
        return self.measured(batch, "train")

    def validation_step(self, batch: Any, index: int) -> None:
        self.measured(batch, "val")

    def measured(self, batch: Any, stage: str) -> Any:
        images, labels = batch
        output = self.net(images)
        loss = nn.functional.cross_entropy(output, labels)
        self.log(f"{stage}_loss", loss)
        self.log(f"{stage}_accuracy", (output.argmax(1) == labels).float().mean())
        return loss

    def on_train_batch_end(self, *_: Any) -> None:
        self.pace.tick()

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=self.learning_rate, momentum=self.momentum)


def train(data: Digits, options: Mapping[str, Any], seconds: float) -> None:
    """Train all runs, one after another. The arguments are those of `losswise.demo.with_numpy.train`."""
    # messages about devices and worker processes would hide those of the demo
    for name in ("pytorch_lightning", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"(pytorch_lightning|lightning)\.")
    batches = sum(-(-len(data.train) // run.batch_size) for run in RUNS) * EPOCHS
    pace = DemoPace(seconds, batches)
    train_set = TensorDataset(torch.from_numpy(data.train), torch.from_numpy(data.train_labels))
    val_set = TensorDataset(torch.from_numpy(data.val), torch.from_numpy(data.val_labels))
    for run in RUNS:
        torch.manual_seed(run.seed)
        trainer = pl.Trainer(
            max_epochs=EPOCHS,
            accelerator="cpu",
            log_every_n_steps=1,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            logger=LosswiseLogger(run.tag, params=run.params(), **options),
        )
        trainer.fit(
            Classifier(run, pace),
            DataLoader(train_set, batch_size=run.batch_size, shuffle=True),
            DataLoader(val_set, batch_size=len(val_set)),
        )
