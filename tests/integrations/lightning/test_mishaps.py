"""Whatever happens to the tracker, a training is what it would be without one."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger

from losswise.integrations import LosswiseLogger
from losswise.util import messages
from tests.integrations.lightning.runs import Net, Points, batches, csv_points, ids_of, run_script, trainer_with
from tests.integrations.reading import columns
from tests.support.server import Server

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """An end waits for a second only, and nothing was said before."""
    monkeypatch.setenv("LW_END_TIMEOUT", "1")
    monkeypatch.setattr(messages, "_said", set())


def trained(folder: Path, *loggers: Any, callbacks: Any = (), ckpt_path: Any = None) -> Points:
    """What the CSV logger recorded of a training of three epochs."""
    torch.manual_seed(0)
    beside = CSVLogger(str(folder))
    kept = ModelCheckpoint(Path(beside.log_dir) / "kept")
    trainer = trainer_with(*loggers, beside, callbacks=[*callbacks, kept])
    trainer.fit(Net(), batches(), batches(), ckpt_path=ckpt_path)
    trainer.test(trainer.model, batches(), verbose=False)
    return csv_points(beside)


class At(pl.Callback):
    def __init__(self, step: int, call: Any) -> None:
        self.step, self.call = step, call

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, index: int) -> None:
        if trainer.global_step == self.step:
            self.call()


@pytest.mark.full
def test_a_server_that_goes_away(
    own_server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LW_BASE_URL", own_server.url)
    monkeypatch.setenv("LW_API_KEY", own_server.api_key)
    expected = trained(tmp_path)
    assert trained(tmp_path, LosswiseLogger("alone"), callbacks=[At(10, own_server.kill)]) == expected
    said = [line for line in capsys.readouterr().err.splitlines() if "losswise sync" in line]
    assert said, "where what is left lies"


def test_a_key_that_is_wrong(
    watched: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LW_API_KEY", "lw_wrong")
    assert trained(tmp_path, LosswiseLogger("wrong key")) == trained(tmp_path)
    assert "key" in capsys.readouterr().err


FULL = """
    import resource

    class Fills(pl.Callback):
        def on_train_batch_start(self, trainer, module, batch, index):
            if trainer.global_step == 8:
                for logger in trainer.loggers:
                    logger.experiment.flush()
                resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))

    torch.manual_seed(0)
    net = Net()
    logger = {logger}
    trainer_with(logger, max_epochs=4, callbacks=[Fills()]).fit(net, batches(), batches())
    print("weights", net.layer.weight.sum().item())
"""


@pytest.mark.full
def test_a_disk_that_is_full_during_fit(watched: Server, tmp_path: Path) -> None:
    """A limit on the size of files is what this user may set; a full disk answers the same way."""
    pytest.importorskip("resource")
    expected, found = (
        run_script(watched, tmp_path, FULL.format(logger=logger)) for logger in ("False", 'LosswiseLogger("full")')
    )
    weights = [line for line in expected.splitlines() if line.startswith("weights ")]
    assert weights == [line for line in found.splitlines() if line.startswith("weights ")] != []
    assert "cannot be written" in found
    [id_] = ids_of(watched, "full")
    assert columns(watched, watched.session(id_))["loss"]["train_loss"][:8]


class Unlucky(Exception):
    """What a broken function raises."""


PARTS = {
    "logger": "find_setup is_unrecorded has_loaded_data total_steps describe_model to_params outcome_of_run "
    "decides_status checkpoint_values note_ending steps_done",
    "session_choice": "watch_trainer read_checkpoint find_session Session _SessionWithId new_id find_launch "
    "is_testing has_gone_beyond steps_done",
    "checkpoint": "is_in_step _await_next_step",
}
OF_A_NEW_SESSION = ("session_choice.new_id", "session_choice._SessionWithId")


NAMES = [f"{module}.{part}" for module, parts in PARTS.items() for part in parts.split()]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.full] if at % 3 else []) for at, name in enumerate(NAMES)]
)
def test_an_error_of_our_own(
    watched: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    calls: list[str] = []

    def broken(*args: Any, **options: Any) -> Any:
        calls.append(name)
        raise Unlucky(name)

    kept = ModelCheckpoint(tmp_path / "start")
    trainer = trainer_with(LosswiseLogger("before"), callbacks=[kept], max_epochs=1)
    trainer.fit(Net(), batches(), batches())
    expected = trained(tmp_path, ckpt_path=kept.best_model_path)
    monkeypatch.setattr(f"losswise.integrations.lightning.{name}", broken)
    logger = LosswiseLogger("after" if name in OF_A_NEW_SESSION else "before")
    logger = pickle.loads(pickle.dumps(logger))  # which looks for a launch that is under way
    assert trained(tmp_path, logger, ckpt_path=kept.best_model_path) == expected
    assert calls
    errors = [line for line in capsys.readouterr().err.splitlines() if "Unlucky" in line]
    assert len(errors) <= 4, "one a place"
    assert all(line.startswith("losswise: ") for line in errors)


def test_arguments_that_only_a_session_checks(watched: Server, tmp_path: Path) -> None:
    expected = trained(tmp_path)
    assert trained(tmp_path, LosswiseLogger(tags=[3])) == expected  # type: ignore[list-item]
