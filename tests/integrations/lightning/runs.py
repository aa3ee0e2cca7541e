"""A small model for Lightning, its data, a quiet Trainer, and what a CSVLogger beside recorded of the run."""

from __future__ import annotations

import csv
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from tests.integrations.reading import columns
from tests.support.server import Server, clean_environment

Points = dict[str, list[tuple[int, float]]]

SCRIPT = """
    {before}
    import logging, sys, warnings
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset
    import {package} as pl
    from losswise.integrations import LosswiseLogger
    warnings.simplefilter("ignore")

    class Net(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 2)

        def training_step(self, batch, index):
            loss = nn.functional.cross_entropy(self.layer(batch[0]), batch[1])
            self.log("train_loss", loss)
            return loss

        def validation_step(self, batch, index):
            self.log("val_loss", nn.functional.cross_entropy(self.layer(batch[0]), batch[1]), sync_dist=True)

        def test_step(self, batch, index):
            self.log("test_loss", nn.functional.cross_entropy(self.layer(batch[0]), batch[1]), sync_dist=True)

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    def batches():
        inputs = torch.rand(32, 4, generator=torch.Generator().manual_seed(0))
        return DataLoader(TensorDataset(inputs, (inputs.sum(1) > 2).long()), batch_size=4)

    def trainer_with(logger, **options):
        quiet = dict(enable_progress_bar=False, enable_model_summary=False, accelerator="cpu", log_every_n_steps=1)
        return pl.Trainer(**{{**quiet, "enable_checkpointing": False, "max_epochs": 2, **options}}, logger=logger)

    if __name__ == "__main__":
"""
"""What the scripts of these tests begin with: eight batches."""


class Net(pl.LightningModule):
    def __init__(self, learning_rate: float = 0.1, raises: Any = None) -> None:
        super().__init__()
        self.save_hyperparameters(ignore="raises")
        self.raises = raises
        self.layer = nn.Linear(4, 2)

    def training_step(self, batch: Any, index: int) -> Any:
        if self.raises is not None and index == 2:
            raise self.raises
        loss = self.loss(batch)
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, index: int, dataloader_idx: int = 0) -> None:
        self.log("val_loss", self.loss(batch))

    def test_step(self, batch: Any, index: int) -> None:
        self.log("test_loss", self.loss(batch))

    def predict_step(self, batch: Any, index: int) -> Any:
        return self.layer(batch[0])

    def loss(self, batch: Any) -> Any:
        inputs, wanted = batch
        return nn.functional.cross_entropy(self.layer(inputs), wanted)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=self.hparams.learning_rate)


class StopsAt(pl.Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, index: int) -> None:
        if trainer.global_step == self.step:
            raise RuntimeError("the power is out")


def batches() -> DataLoader[Any]:
    """Seven batches."""
    inputs = torch.rand(28, 4, generator=torch.Generator().manual_seed(0))
    return DataLoader(TensorDataset(inputs, (inputs.sum(1) > 2).long()), batch_size=4)


def trainer_with(*loggers: Any, **options: Any) -> pl.Trainer:
    quiet: dict[str, Any] = {"enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    return pl.Trainer(**{"max_epochs": 3, "log_every_n_steps": 1, **quiet, **options}, logger=list(loggers))


def csv_points(logger: CSVLogger) -> Points:
    found: Points = {}
    with open(Path(logger.log_dir, "metrics.csv")) as file:
        for row in csv.DictReader(file):
            for name, value in row.items():
                if name != "step" and value:
                    point = (int(row["step"]), float(value))
                    if point not in found.setdefault(name, []):  # each row of a step has the epoch
                        found[name].append(point)
    return found


def flat(server: Server, id_: str | None) -> dict[str, list[tuple[int, float]]]:
    """All points of a session by name."""
    session = server.session(id_)
    return {name: points for graph in columns(server, session).values() for name, points in graph.items()}


def ids_of(server: Server, tag: str) -> list[str]:
    """All sessions with exactly this tag."""
    return [one["id"] for one in server.get("/api/v2/sessions", q=tag)["sessions"] if one["tag"] == tag]


def run_script(
    server: Server,
    folder: Path,
    body: str,
    package: str = "pytorch_lightning",
    may_say: str | None = None,
    before: str = "pass",
) -> str:
    """Run a script that trains, from a file of its own; what it printed, and its errors.

    Args:
        before: a line before all others.
        may_say: with this among its errors it may fail.
    """
    path = folder / "train.py"
    path.write_text(
        textwrap.dedent(SCRIPT.format(package=package, before=before)) + textwrap.indent(textwrap.dedent(body), " " * 4)
    )
    root = Path(__file__).resolve().parents[3]
    environment = clean_environment(
        folder / "home",
        LW_BASE_URL=server.url,
        LW_API_KEY=server.api_key,
        PYTHONPATH=str(root),
        MASTER_ADDR="127.0.0.1",
        OMP_NUM_THREADS="1",
    )
    done = subprocess.run(
        [sys.executable, str(path)], env=environment, cwd=folder, capture_output=True, text=True, timeout=120
    )
    is_excused = may_say is not None and may_say in done.stderr
    assert done.returncode == 0 or is_excused, done.stdout[-2000:] + done.stderr[-6000:]
    return done.stdout + done.stderr
