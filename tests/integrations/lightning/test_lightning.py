"""LosswiseLogger on real Trainers: what arrives is what Lightning's own CSVLogger recorded in the same run."""

from __future__ import annotations

import logging
import pickle
import signal
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_utilities.core.rank_zero import rank_zero_only
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.utilities.exceptions import SIGTERMException

from losswise.integrations import LosswiseLogger
from tests.integrations.lightning.runs import Net, batches, csv_points, trainer_with
from tests.integrations.reading import columns
from tests.support.server import Server, clean_environment

pytestmark = pytest.mark.filterwarnings("ignore")
logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)


def test_a_fit_arrives_complete(watched: Server, tmp_path: Path) -> None:
    logger, beside = LosswiseLogger("linear", params={"mine": 1}, save_dir=str(tmp_path)), CSVLogger(str(tmp_path))
    trainer = trainer_with(logger, beside)
    trainer.fit(Net(), batches(), batches())
    session = watched.session(logger.version)
    assert (session["tag"], session["status"], session["max_iter"]) == ("linear", "complete", 21)

    graphs = columns(watched, session)
    points = {name: series for graph in graphs.values() for name, series in graph.items()}
    assert points == csv_points(beside)
    assert set(graphs["loss"]) == {"train_loss_step", "train_loss_epoch", "val_loss"}
    assert len(points["train_loss_step"]) == 21
    assert {graph["title"]: graph["kind"] for graph in session["graphs"]} == {"loss": "min", "epoch": None}

    assert session["params"] == {
        "mine": 1,
        "learning_rate": 0.1,
        "model": "Net",
        "parameters": 10,
        "trainable_parameters": 10,
    }
    assert "| layer | Linear | 10 |" in next(
        text["text"] for text in session["texts"] if text["name"] == "model summary"
    )
    assert trainer.checkpoint_callback.best_model_path.startswith(str(tmp_path / "linear" / str(logger.version)))


def test_test_and_a_second_fit_go_on(watched: Server) -> None:
    logger, model = LosswiseLogger(), Net()
    trainer = trainer_with(logger, max_epochs=1, enable_checkpointing=False)
    trainer.fit(model, batches())
    first = logger.version
    trainer.test(model, batches(), verbose=False)
    trainer.fit_loop.max_epochs = 2
    trainer.fit(model, batches())
    assert logger.version == first
    session = watched.session(first)
    assert (session["status"], session["max_iter"]) == ("complete", 14)
    points = columns(watched, session)["loss"]
    assert [x for x, _ in points["train_loss_step"]] == list(range(14))
    assert [x for x, _ in points["test_loss"]] == [7]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"max_steps": 5}, 5),
        ({"accumulate_grad_batches": 2}, 12),
        ({"max_epochs": -1, "max_time": "00:00:00:01"}, None),
    ],
)
def test_the_total_of_steps(watched: Server, options: dict[str, Any], expected: int | None) -> None:
    logger = LosswiseLogger()
    trainer_with(logger, **options, enable_checkpointing=False).fit(Net(), batches())
    session = watched.session(logger.version)
    assert session["max_iter"] == expected
    assert expected is None or session["last_x"] == expected - 1, "x counts optimizer steps too"


@pytest.mark.parametrize(
    ("raised", "out", "ending"),
    [
        (KeyError("a bad batch"), KeyError, ("failed", "error", "KeyError")),
        (KeyboardInterrupt(), SystemExit, ("cancelled", "interrupted", None)),
        (SIGTERMException(), SIGTERMException, ("cancelled", "interrupted", None)),
    ],
)
def test_a_fit_that_raises(
    watched: Server, monkeypatch: pytest.MonkeyPatch, raised: BaseException, out: Any, ending: Any
) -> None:
    logger, before = LosswiseLogger(), signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(out):
            trainer_with(logger, enable_checkpointing=False).fit(Net(raises=raised), batches())
    finally:
        signal.signal(signal.SIGINT, before)  # Lightning leaves it ignored
    session = watched.session(logger.version)
    assert (session["status"], session["reason"]) == ending[:2]
    assert (session["error"] or {}).get("type") == ending[2]
    assert ending[2] is None or "training_step" in session["error"]["traceback"]


def test_a_trainer_pickles_and_goes_on(watched: Server) -> None:
    fresh = pickle.loads(pickle.dumps(LosswiseLogger("a")))
    assert (fresh.version, fresh.name) == (None, "a"), "no session is made by that"

    logger = LosswiseLogger("pickled")
    trainer = trainer_with(logger, max_epochs=1, enable_checkpointing=False)
    trainer.fit(Net(), batches())
    copy = pickle.loads(pickle.dumps(trainer)).logger
    assert copy.version == logger.version
    copy.log_metrics({"train_loss_step": 0.25}, step=7)
    copy.finalize("success")
    session = watched.session(logger.version)
    assert (session["tag"], session["status"]) == ("pickled", "complete")
    assert columns(watched, session)["loss"]["train_loss_step"][-1] == (7, 0.25)


def test_by_hand(watched: Server) -> None:
    logger = LosswiseLogger("by hand", params={"rate": 1}, prefix="fold1")
    logger.log_hyperparams(Namespace(rate=2, layers=[3, 4]), {"best": 0.5})
    logger.log_metrics({"val_loss": torch.tensor(0.5), "epoch": 0}, step=3)
    logger.finalize("success")
    session = watched.session(logger.version)
    assert session["params"] == {"rate": 1, "layers": [3, 4]}
    assert session["values"] == {"best": 0.5}
    points = columns(watched, session)
    assert points["fold1/loss"] == {"fold1/val_loss": [(3, 0.5)]}
    assert [series for graph in points.values() for name, series in graph.items() if "epoch" in name] == [[(3, 0)]]


def test_other_ranks_make_no_session(watched: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    logger = LosswiseLogger("rank one")
    logger.experiment.anything("goes")
    logger.log_metrics({"loss": 1.0}, step=0)
    logger.finalize("success")
    assert logger.version is None


def test_fast_dev_run_makes_no_session(watched: Server) -> None:
    logger = LosswiseLogger()
    trainer_with(logger, fast_dev_run=True).fit(Net(), batches(), batches())
    assert logger.version is None


def test_wrong_arguments_are_told_at_once() -> None:
    with pytest.raises(TypeError):
        LosswiseLogger(params=["a"])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="colour"):
        LosswiseLogger(colour="red")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("name", "absent", "extra"),
    [
        ("LosswiseKerasCallback", ["keras"], "keras"),
        ("LosswiseLogger", ["lightning", "pytorch_lightning", "lightning_fabric"], "lightning"),
    ],
)
def test_a_framework_that_is_not_installed(name: str, absent: list[str], extra: str, clean_home: Path) -> None:
    script = f"import sys; sys.modules.update(dict.fromkeys({absent!r})); from losswise.integrations import {name}"
    environment = clean_environment(clean_home)
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stderr.splitlines()[-1].startswith("ImportError: " + name + " needs ")
    assert f"pip install 'losswise[{extra}]'" in done.stderr


def test_the_core_imports_no_framework(clean_home: Path) -> None:
    script = (
        "import sys, losswise, losswise.session, losswise.integrations, losswise.libs, losswise.demo;"
        "print(sorted({'keras', 'torch', 'lightning', 'pytorch_lightning', 'numpy', 'flask'} & sys.modules.keys()))"
    )
    environment = clean_environment(clean_home)
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr
