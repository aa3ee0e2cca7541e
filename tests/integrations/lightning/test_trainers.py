"""LosswiseLogger with whatever drives it: Lightning's packages, Fabric, the tuner, several loggers, all runs."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import LearningRateFinder
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.tuner import Tuner
from torch.utils.data import DataLoader, IterableDataset

from losswise.integrations import LosswiseLogger
from tests.integrations.lightning.runs import Net, batches, csv_points, ids_of, run_script, trainer_with
from tests.integrations.reading import columns
from tests.support.server import Server

pytestmark = pytest.mark.filterwarnings("ignore")


def loss_x(server: Server, id_: str | None, name: str) -> list[int]:
    return [x for x, _ in columns(server, server.session(id_))["loss"][name]]


@pytest.mark.full
@pytest.mark.parametrize("first", ["from losswise.integrations import LosswiseLogger", "pass"])
@pytest.mark.parametrize("package", ["lightning.pytorch", "pytorch_lightning"])
def test_each_package_of_lightning(watched: Server, tmp_path: Path, package: str, first: str) -> None:
    pytest.importorskip(package.partition(".")[0])
    tag = f"{package} {first[:4]}"
    body = f"""
        from {package}.loggers import Logger
        logger = LosswiseLogger("{tag}")
        assert isinstance(logger, Logger)
        trainer_with(logger).fit(Net(), batches(), batches())
    """
    run_script(watched, tmp_path, body, package, before=first)
    [id_] = ids_of(watched, tag)
    assert watched.session(id_)["status"] == "complete"
    assert loss_x(watched, id_, "train_loss") == list(range(16))


@pytest.mark.full
def test_both_packages_in_one_process(watched: Server, tmp_path: Path) -> None:
    pytest.importorskip("lightning")
    body = """
        import lightning.pytorch
        import lightning.fabric.loggers
        logger, other = LosswiseLogger("both"), LosswiseLogger("the other")
        for package in (pl, lightning.pytorch, lightning.fabric):
            assert isinstance(logger, package.loggers.Logger), package
        trainer_with(logger).fit(Net(), batches(), batches())

        class Other(lightning.pytorch.LightningModule):
            training_step, configure_optimizers = Net.training_step, Net.configure_optimizers
            def __init__(self):
                super().__init__()
                self.layer = nn.Linear(4, 2)

        options = dict(max_epochs=2, enable_progress_bar=False, accelerator="cpu", log_every_n_steps=1)
        lightning.pytorch.Trainer(logger=other, **options).fit(Other(), batches())
    """
    run_script(watched, tmp_path, body)
    for tag in ("both", "the other"):
        [id_] = ids_of(watched, tag)
        assert loss_x(watched, id_, "train_loss") == list(range(16))


@pytest.mark.full
@pytest.mark.parametrize("package", ["lightning.fabric", pytest.param("lightning_fabric", marks=pytest.mark.full)])
def test_fabric(watched: Server, tmp_path: Path, package: str) -> None:
    pytest.importorskip(package.partition(".")[0])
    tag = f"fabric of {package}"
    body = f"""
        import {package} as fabric_of
        logger = LosswiseLogger("{tag}")
        fabric = fabric_of.Fabric(accelerator="cpu", loggers=[logger])
        model = nn.Linear(4, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model, optimizer = fabric.setup(model, optimizer)
        fabric.logger.log_hyperparams({{"rate": 0.1}})
        for step in range(8):
            loss = model(torch.ones(1, 4)).square().sum()
            fabric.backward(loss)
            optimizer.step()
            fabric.log_dict({{"train_loss": loss, "accuracy": 0.5}}, step=step)
        fabric.logger.log_image("weights", [model.weight.detach()])
        fabric.logger.finalize("success")
    """
    run_script(watched, tmp_path, body, before=f"import {package}")
    [id_] = ids_of(watched, tag)
    session = watched.session(id_)
    assert (session["status"], session["params"]) == ("complete", {"rate": 0.1})
    assert loss_x(watched, id_, "train_loss") == list(range(8))
    assert [(image["sequence"], image["x"]) for image in session["images"]] == [("weights", 7)]


class Tuned(Net):
    batch_size = 2

    def train_dataloader(self) -> Any:
        return DataLoader(batches().dataset, batch_size=self.batch_size)

    def val_dataloader(self) -> Any:
        return batches()


@pytest.mark.full
@pytest.mark.parametrize("what", ["lr_find", "scale_batch_size"])
def test_the_tuner_leaves_nothing_behind(watched: Server, what: str) -> None:
    logger, model = LosswiseLogger(f"tuned by {what}"), Tuned()
    trainer = trainer_with(logger, max_epochs=1, enable_checkpointing=False)
    tuner = Tuner(trainer)
    if what == "lr_find":
        tuner.lr_find(model, num_training=20, attr_name="learning_rate")
    else:
        tuner.scale_batch_size(model, steps_per_trial=1, max_trials=2)
    assert ids_of(watched, f"tuned by {what}") == [], "a search alone is no session"
    trainer.fit(model)
    assert ids_of(watched, f"tuned by {what}") == [logger.version]
    session = watched.session(logger.version)
    steps = len(model.train_dataloader())
    assert (session["status"], session["max_iter"]) == ("complete", steps)
    assert loss_x(watched, logger.version, "train_loss_step") == list(range(steps))


@pytest.mark.skipif(pl.__version__.startswith("2.5.0"), reason="a search makes Lightning 2.5.0 end the fit at once")
def test_a_search_inside_fit(watched: Server) -> None:
    logger = LosswiseLogger("searches first")
    finder = LearningRateFinder(num_training_steps=20, attr_name="learning_rate")
    trainer_with(logger, max_epochs=1, callbacks=[finder], enable_checkpointing=False).fit(Net(), batches())
    session = watched.session(logger.version)
    assert (session["status"], session["max_iter"]) == ("complete", 7)
    assert loss_x(watched, logger.version, "train_loss_step") == list(range(7))


def test_predict_alone_makes_no_session(watched: Server) -> None:
    logger, model = LosswiseLogger("predicts"), Net()
    trainer = trainer_with(logger, max_epochs=1, enable_checkpointing=False)
    trainer.predict(model, batches())
    assert ids_of(watched, "predicts") == []
    trainer.fit(model, batches())
    trainer.predict(model, batches())
    assert ids_of(watched, "predicts") == [logger.version]
    assert watched.session(logger.version)["status"] == "complete"


def test_all_kinds_of_runs_are_one_session(watched: Server, tmp_path: Path) -> None:
    logger, beside, model = LosswiseLogger("all of them"), CSVLogger(str(tmp_path)), Net()
    trainer = trainer_with(logger, beside, max_epochs=2, enable_checkpointing=False, num_sanity_val_steps=2)
    trainer.fit(model, batches(), batches())
    trainer.validate(model, batches(), verbose=False)
    trainer.test(model, batches(), verbose=False)
    assert ids_of(watched, "all of them") == [logger.version]
    session = watched.session(logger.version)
    assert session["status"] == "complete"
    points = {name: series for graph in columns(watched, session).values() for name, series in graph.items()}
    assert points == csv_points(beside)
    assert [x for x, _ in points["val_loss"]] == [6, 13, 14]


def test_several_loggers_at_once(watched: Server, tmp_path: Path) -> None:
    one, two, beside = LosswiseLogger("one"), LosswiseLogger("two", prefix="b"), CSVLogger(str(tmp_path))
    trainer_with(one, two, beside, max_epochs=1, enable_checkpointing=False).fit(Net(), batches(), batches())
    recorded = csv_points(beside)
    for logger, front in ((one, ""), (two, "b/")):
        session = watched.session(logger.version)
        assert (session["status"], session["max_iter"]) == ("complete", 7)
        points = {name: series for graph in columns(watched, session).values() for name, series in graph.items()}
        assert points == {front + name: series for name, series in recorded.items()}


def test_gradients_that_accumulate(watched: Server, tmp_path: Path) -> None:
    logger, beside = LosswiseLogger("accumulates"), CSVLogger(str(tmp_path))
    trainer_with(logger, beside, accumulate_grad_batches=3, enable_checkpointing=False).fit(Net(), batches())
    session = watched.session(logger.version)
    assert (session["max_iter"], session["last_x"]) == (9, 8)
    points = {name: series for graph in columns(watched, session).values() for name, series in graph.items()}
    assert points == csv_points(beside)


class Endless(IterableDataset[Any]):
    def __iter__(self) -> Any:
        while True:
            yield torch.rand(4), 0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"max_steps": 5, "max_epochs": -1}, 5),
        ({"max_epochs": 2, "limit_train_batches": 4}, 8),
        ({"max_epochs": 1, "limit_train_batches": 4, "accumulate_grad_batches": 2, "max_time": "00:01:00:00"}, 2),
        ({"max_epochs": -1, "max_time": "00:00:00:01"}, None),
    ],
    ids=["max_steps", "max_epochs", "max_time beside", "max_time alone"],
)
def test_the_total_of_steps_of_endless_data(watched: Server, options: dict[str, Any], expected: int | None) -> None:
    logger = LosswiseLogger()
    trainer_with(logger, **options, enable_checkpointing=False).fit(Net(), DataLoader(Endless(), batch_size=2))
    assert watched.session(logger.version)["max_iter"] == expected


def test_a_total_of_ones_own_wins(watched: Server) -> None:
    logger = LosswiseLogger(max_iter=1000)
    trainer_with(logger, max_epochs=1, enable_checkpointing=False).fit(Net(), batches())
    assert watched.session(logger.version)["max_iter"] == 1000


def test_copies_of_an_unused_logger_are_sessions_of_their_own(watched: Server) -> None:
    base = trainer_with(LosswiseLogger("fold"), max_epochs=1, enable_checkpointing=False)
    folds = [copy.deepcopy(base) for _ in range(2)]
    for trainer in folds:
        trainer.fit(Net(), batches())
    assert len(ids_of(watched, "fold")) == 2


def test_a_callback_pays_for_its_own_hooks_only(watched: Server) -> None:
    """Each hook of each callback costs microseconds at each step; the one that carries the session's id has none."""
    logger = LosswiseLogger()
    trainer = trainer_with(logger, max_epochs=1, enable_checkpointing=False)
    trainer.fit(Net(), batches())
    [carrier] = [one for one in trainer.callbacks if "Losswise" in type(one).__name__]
    assert isinstance(carrier, pl.Callback)
    hooks = {name for name in dir(carrier) if name.startswith("on_") and callable(getattr(carrier, name))}
    assert hooks == {"on_save_checkpoint", "on_load_checkpoint"}
