"""What Lightning's own loggers offer beside curves: images, texts, hyperparameters, checkpoints; and its monitors."""

from __future__ import annotations

import dataclasses
import os
from argparse import Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import (
    DeviceStatsMonitor,
    LearningRateMonitor,
    ModelCheckpoint,
    ThroughputMonitor,
)
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.utilities import grad_norm

from losswise.integrations import LosswiseLogger
from tests.integrations.lightning.runs import Net, batches, csv_points, trainer_with
from tests.integrations.reading import columns
from tests.support.server import Server

pytestmark = pytest.mark.filterwarnings("ignore")


def test_images_as_wandb_logger_takes_them(watched: Server) -> None:
    class Shows(Net):
        def validation_step(self, batch: Any, index: int, dataloader_idx: int = 0) -> None:
            super().validation_step(batch, index)
            if index == 0:
                images = [torch.rand(3, 4, 5), numpy.zeros((4, 5))]
                self.logger.log_image("seen", images, caption=["a cat", "a dog"], metrics=[{"p": 0.5}, {"p": 0.25}])

    logger = LosswiseLogger("images")
    trainer_with(logger, max_epochs=2, enable_checkpointing=False, num_sanity_val_steps=0).fit(
        Shows(), batches(), batches()
    )
    logger.log_metrics({"later": 1.0}, step=3)
    logger.log_image("batch", torch.rand(2, 3, 4, 5), step=3)
    logger.log_image("one", numpy.zeros((4, 5)), 3, boxes=[[]])
    logger.log_image("none of them", [object()], 3)
    logger.finalize("success")
    images = watched.session(logger.version)["images"]
    found = sorted((one["sequence"], one["x"], one["image_id"]) for one in images)
    assert found == [
        *[("batch", 3, "0"), ("batch", 3, "1"), ("one", 3, "0")],
        *[("seen", 6, "0"), ("seen", 6, "1"), ("seen", 13, "0"), ("seen", 13, "1")],
    ]
    dog = next(one for one in images if (one["sequence"], one["x"], one["image_id"]) == ("seen", 13, "1"))
    assert (dog["outputs"], dog["metrics"]) == ({"caption": "a dog"}, {"p": 0.25})


def test_texts_and_tables(watched: Server) -> None:
    logger = LosswiseLogger("texts", prefix="a")
    logger.log_text("note", "**second** attempt", step=3)
    logger.log_text("answers", columns=["question", "answer"], data=[["2 | 2", 4]])
    logger.log_text("as wandb", ["question"], [["why?"]])
    logger.save()
    logger.finalize("success")
    texts = {one["name"]: (one["x"], one["text"]) for one in watched.session(logger.version)["texts"]}
    texts.pop("console")
    assert texts == {
        "a/note": (3, "**second** attempt"),
        "a/answers": (None, "| question | answer |\n|---|---|\n| 2 \\| 2 | 4 |"),
        "a/as wandb": (None, "| question |\n|---|\n| why? |"),
    }


@dataclasses.dataclass
class Optimizer:
    rate: float
    betas: tuple[float, float] = (0.9, 0.999)


class Config(Mapping[str, Any]):
    """As OmegaConf's: a mapping that is no dictionary, with lists that are no lists, and values that may be missing."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values_ = values

    def __getitem__(self, name: str) -> Any:
        if self.values_[name] == "???":
            raise ValueError("missing mandatory value")
        return self.values_[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_)

    def __len__(self) -> int:
        return len(self.values_)


class Silent:
    def __str__(self) -> str:
        raise RuntimeError("says nothing")

    __repr__ = __str__


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"rate": 0.1, 3: [1, (2,)]}, {"rate": 0.1, "3": [1, [2]]}),
        (Namespace(rate=0.1, inner=Namespace(deep=1)), {"rate": 0.1, "inner": {"deep": 1}}),
        (Optimizer(0.1), {"rate": 0.1, "betas": [0.9, 0.999]}),
        ({"optimizer": Optimizer(0.1)}, {"optimizer": {"rate": 0.1, "betas": [0.9, 0.999]}}),
        (Config({"a": Config({"b": 1}), "c": "???"}), {"a": {"b": 1}, "c": "<ValueError>"}),
        ({"silent": Silent(), "kind": Net, "tensor": torch.tensor([1, 2])}, None),
        (None, {}),
        ([Namespace(a=(1, 2)), {3}], {"hyperparameters": [{"a": [1, 2]}, [3]]}),
    ],
    ids=["dict", "Namespace", "dataclass", "dataclass inside", "OmegaConf-like", "anything", "None", "a list"],
)
def test_hyperparameters(watched: Server, params: Any, expected: dict[str, Any] | None) -> None:
    logger = LosswiseLogger("hyperparameters")
    logger.log_hyperparams(params)
    logger.log_hyperparams({"last": 1}, {"best_loss": torch.tensor(0.5)})
    logger.finalize("success")
    session = watched.session(logger.version)
    if expected is None:
        expected = {
            "silent": "<Silent: RuntimeError>",
            "kind": "tests.integrations.lightning.runs.Net",
            "tensor": [1, 2],
        }
    assert session["params"] == {**expected, "last": 1}
    assert session["values"] == {"best_loss": 0.5}


def test_hyperparameters_that_contain_themselves(watched: Server) -> None:
    logger, params = LosswiseLogger(), {"a": 1}
    params["self"] = params  # type: ignore[assignment]
    logger.log_hyperparams(params)
    logger.finalize("success")
    assert watched.session(logger.version)["params"]["a"] == 1


def test_the_best_checkpoint_is_a_value(watched: Server, tmp_path: Path) -> None:
    logger = LosswiseLogger("checkpoints", save_dir=tmp_path)
    best, last = ModelCheckpoint(monitor="val_loss"), ModelCheckpoint(filename="newest")
    trainer_with(logger, callbacks=[best, last]).fit(Net(), batches(), batches())
    values = watched.session(logger.version)["values"]
    assert values == {
        "best val_loss": pytest.approx(best.best_model_score.item()),
        "best val_loss checkpoint": best.best_model_path,
        "checkpoint": last.best_model_path,
    }
    assert logger.root_dir == str(tmp_path / "checkpoints")
    assert logger.log_dir == str(tmp_path / "checkpoints" / str(logger.version))
    assert os.path.dirname(best.best_model_path) == os.path.join(logger.log_dir, "checkpoints")


class Improves(Net):
    def validation_step(self, batch: Any, index: int, dataloader_idx: int = 0) -> None:
        self.log("val_loss", float(5 - self.current_epoch))


def test_the_best_score_is_kept_up_under_one_path(watched: Server, tmp_path: Path) -> None:
    logger = LosswiseLogger("one path")
    best = ModelCheckpoint(tmp_path, filename="best", monitor="val_loss")
    trainer_with(logger, callbacks=[best]).fit(Improves(), batches(), batches())
    values = watched.session(logger.version)["values"]
    assert values == {"best val_loss": 3.0, "best val_loss checkpoint": str(tmp_path / "best.ckpt")}


def test_without_a_folder_checkpoints_go_to_the_trainers(watched: Server, tmp_path: Path) -> None:
    logger = LosswiseLogger("no folder")
    assert (logger.save_dir, logger.root_dir, logger.log_dir) == (None, None, None)
    trainer = trainer_with(logger, max_epochs=1, default_root_dir=tmp_path)
    trainer.fit(Net(), batches())
    path = trainer.checkpoint_callback.best_model_path
    assert path.startswith(str(tmp_path / "no-folder" / str(logger.version) / "checkpoints"))


class Watched(Net):
    def on_before_optimizer_step(self, optimizer: Any) -> None:
        self.log_dict(grad_norm(self, norm_type=2))

    def configure_optimizers(self) -> Any:
        groups = [{"params": [self.layer.weight]}, {"params": [self.layer.bias], "lr": 0.01}]
        optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)]


def test_lightnings_monitors_land_on_sensible_graphs(watched: Server, tmp_path: Path) -> None:
    logger, beside = LosswiseLogger("monitors"), CSVLogger(str(tmp_path))
    monitors: list[pl.Callback] = [
        LearningRateMonitor(log_momentum=True),
        DeviceStatsMonitor(cpu_stats=True),
        ThroughputMonitor(lambda batch: len(batch[0]), window_size=2),
    ]
    trainer_with(logger, beside, callbacks=monitors, max_epochs=2, enable_checkpointing=False).fit(Watched(), batches())
    session = watched.session(logger.version)
    graphs = columns(watched, session)
    assert {name: points for graph in graphs.values() for name, points in graph.items()} == csv_points(beside)
    assert set(graphs["lr-SGD"]) == {"lr-SGD/pg1", "lr-SGD/pg2"}
    assert set(graphs["lr-SGD-momentum"]) == {"lr-SGD/pg1-momentum", "lr-SGD/pg2-momentum"}
    assert set(graphs["grad_2.0_norm"]) == {
        "grad_2.0_norm/layer.weight",
        "grad_2.0_norm/layer.bias",
        "grad_2.0_norm_total",
    }
    assert set(graphs["cpu_percent"]) == {
        f"DeviceStatsMonitor.on_train_batch_{when}/cpu_percent" for when in ("start", "end")
    }
    assert set(graphs["samples"]) == {"train/samples"}
    assert set(graphs["device/batches_per_sec"]) == {"train/device/batches_per_sec"}
    kinds = {graph["title"]: graph["kind"] for graph in session["graphs"]}
    assert {title for title, kind in kinds.items() if kind is not None} == {"loss"}


def test_several_data_loaders_land_apart(watched: Server, tmp_path: Path) -> None:
    logger, beside = LosswiseLogger("loaders"), CSVLogger(str(tmp_path))
    trainer_with(logger, beside, max_epochs=2, enable_checkpointing=False).fit(Net(), batches(), [batches(), batches()])
    loss = columns(watched, watched.session(logger.version))["loss"]
    names = {"val_loss/dataloader_idx_0", "val_loss/dataloader_idx_1"}
    assert names < set(loss)
    assert {name: loss[name] for name in names} == {name: csv_points(beside)[name] for name in names}


def test_a_persons_own_graphs(watched: Server) -> None:
    class Scores(Net):
        def training_step(self, batch: Any, index: int) -> Any:
            self.log("my_score", float(index))
            return super().training_step(batch, index)

    logger = LosswiseLogger("own graphs", graphs={"my_score": ("quality", "max")})
    trainer_with(logger, max_epochs=1, enable_checkpointing=False).fit(Scores(), batches())
    session = watched.session(logger.version)
    assert {graph["title"]: graph["kind"] for graph in session["graphs"]}["quality"] == "max"
    assert [y for _, y in columns(watched, session)["quality"]["my_score"]] == list(range(7))


def test_a_persons_own_graphs_with_a_prefix(watched: Server) -> None:
    logger = LosswiseLogger("own graphs", prefix="fold1", graphs={"my_score": ("quality", "max")})
    logger.log_metrics({"val_my_score": 0.5, "val_loss": 0.25}, step=3)
    logger.finalize("success")
    session = watched.session(logger.version)
    kinds = {graph["title"]: graph["kind"] for graph in session["graphs"]}
    assert kinds == {"fold1/quality": "max", "fold1/loss": "min"}
    assert columns(watched, session)["fold1/quality"] == {"fold1/val_my_score": [(3, 0.5)]}
