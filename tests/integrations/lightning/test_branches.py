"""Several trainings from one checkpoint: a session that has gone on from there and is complete is not taken back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pytorch_lightning.callbacks import ModelCheckpoint

from losswise.integrations import LosswiseLogger, base
from tests.integrations.lightning.runs import Net, StopsAt, batches, flat, ids_of, run_script, trainer_with
from tests.integrations.lightning.test_processes import ABORT
from tests.support.server import Server

pytestmark = pytest.mark.filterwarnings("ignore")


def trained(logger: LosswiseLogger, epochs: int, path: str | None = None, *callbacks: Any) -> None:
    trainer = trainer_with(logger, max_epochs=epochs, callbacks=list(callbacks), enable_checkpointing=bool(callbacks))
    trainer.fit(Net(), batches(), batches(), ckpt_path=path)


def base_checkpoint(logger: LosswiseLogger, folder: Path) -> str:
    """The checkpoint at the end of a training of one epoch: 7 steps."""
    trained(logger, 1, None, ModelCheckpoint(folder, filename="base"))
    return str(folder / "base.ckpt")


@pytest.fixture
def forgets(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Call it for what another process would know of the trainings of this one: nothing."""
    return lambda: monkeypatch.setattr(base, "_endings", {})


def steps_of(server: Server, id_: str | None) -> list[int]:
    return [x for x, _ in flat(server, id_)["train_loss_step"]]


@pytest.mark.parametrize("how", ["other loggers", "one logger", "another process"])
def test_two_fine_tunings(watched: Server, tmp_path: Path, how: str, forgets: Any) -> None:
    first = LosswiseLogger("tuned", params={"rate": 1}, info={"note": "mine"})
    path = base_checkpoint(first, tmp_path)
    id_ = first.version

    def logger() -> LosswiseLogger:
        if how == "another process":
            forgets()
        return first if how == "one logger" else LosswiseLogger("tuned", params={"rate": 1}, info={"note": "mine"})

    trained(one := logger(), 2, path)
    assert one.version == id_, "its checkpoint was the end of the session"
    assert steps_of(watched, id_) == list(range(14))
    before, points = watched.session(id_), flat(watched, id_)

    trained(other := logger(), 3, path)
    assert other.version != id_
    assert watched.session(id_) == before
    assert flat(watched, id_) == points
    session = watched.session(other.version)
    assert steps_of(watched, other.version) == list(range(7, 21))
    assert (session["status"], session["tag"], session["progress"], session["steps"]) == ("complete", "tuned", 1.0, 21)
    assert session["params"]["branched_from"] == {"session": id_, "step": 7}
    assert session["params"]["rate"] == 1
    assert f"{watched.url}/s/{id_}" in session["info"]["branch"]
    assert "step 7" in session["info"]["branch"]
    assert session["info"]["note"] == "mine"
    assert watched.get("/api/v2/sessions", q=id_)["sessions"][0]["id"] == other.version, (
        "one finds it by the other's id"
    )

    trained(third := logger(), 2, path)
    assert len({id_, other.version, third.version}) == 3 if how == "other loggers" else third.version != id_
    assert flat(watched, id_) == points


def test_a_fine_tuning_that_fails_is_taken_back(watched: Server, tmp_path: Path) -> None:
    path = base_checkpoint(LosswiseLogger("fails first"), tmp_path)
    for epochs, error in ((3, True), (2, False)):
        logger = LosswiseLogger("fails first")
        if error:
            with pytest.raises(RuntimeError):
                trained(logger, epochs, path, StopsAt(10), ModelCheckpoint(tmp_path / "more"))
        else:
            trained(logger, epochs, path)
    [id_] = ids_of(watched, "fails first")
    assert steps_of(watched, id_) == list(range(14))


@pytest.mark.full
def test_a_branch_that_fails_is_taken_back(watched: Server, tmp_path: Path) -> None:
    """The same logger tries again from the checkpoint of the session that it has left."""
    first, again = LosswiseLogger("left for another"), LosswiseLogger("left for another")
    path = base_checkpoint(first, tmp_path)
    trained(first, 2, path)
    with pytest.raises(RuntimeError):
        trained(again, 3, path, StopsAt(10), ModelCheckpoint(tmp_path / "more"))
    branch = again.version
    assert steps_of(watched, branch) == [7, 8, 9]
    trained(again, 3, path)
    assert again.version == branch
    assert steps_of(watched, branch) == list(range(7, 21))
    trained(again, 2, path)
    assert again.version not in (branch, first.version)
    assert sorted(map(len, (steps_of(watched, id_) for id_ in ids_of(watched, "left for another")))) == [7, 14, 14]


@pytest.mark.full
def test_a_branch_is_resumed_from_its_own_checkpoint(watched: Server, tmp_path: Path) -> None:
    first = LosswiseLogger("branch")
    path = base_checkpoint(first, tmp_path)
    trained(first, 2, path)
    branch = LosswiseLogger("branch")
    with pytest.raises(RuntimeError):
        trained(branch, 3, path, StopsAt(16), ModelCheckpoint(tmp_path / "more", filename="more"))
    again = LosswiseLogger("branch")
    trained(again, 3, str(tmp_path / "more" / "more.ckpt"))
    assert again.version == branch.version
    assert steps_of(watched, again.version) == list(range(7, 21))


@pytest.mark.full
def test_an_own_id_is_continued(watched: Server, tmp_path: Path) -> None:
    first = LosswiseLogger("own")
    path = base_checkpoint(first, tmp_path)
    trained(first, 3, path)
    again = LosswiseLogger("own", resume=first.version)
    trained(again, 2, path)
    assert again.version == first.version
    assert steps_of(watched, first.version) == list(range(14))


@pytest.mark.full
def test_without_an_answer_it_is_continued(
    watched: Server, tmp_path: Path, forgets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LW_END_TIMEOUT", "0.1")
    first = LosswiseLogger("silent")
    path = base_checkpoint(first, tmp_path)
    trained(first, 3, path)
    forgets()
    again = LosswiseLogger("silent", api_key="lw_wrong")
    again.fingerprint = first.fingerprint
    trained(again, 2, path)
    assert again.version == first.version


@pytest.mark.full
def test_offline(watched: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LW_MODE", "offline")
    monkeypatch.setenv("LW_JOURNAL_DIR", str(tmp_path / "journals"))
    path = base_checkpoint(LosswiseLogger("offline"), tmp_path)
    loggers = [LosswiseLogger("offline") for _ in range(2)]
    for logger in loggers:
        trained(logger, 2, path)
    assert loggers[0].version != loggers[1].version
    lines = [
        json.loads(line)
        for segment in (tmp_path / "journals").glob(f"*{loggers[1].version}*.journal")
        for line in segment.read_text().splitlines()
    ]
    assert "rewind" not in {line.get("type") for line in lines}


def test_disabled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LW_MODE", "disabled")
    path = base_checkpoint(LosswiseLogger("disabled"), tmp_path)
    for _ in range(2):
        trained(LosswiseLogger("disabled"), 2, path)


IN_WORKERS = """
    keep = pl.callbacks.ModelCheckpoint("kept", filename="base")
    options = dict(devices=2, strategy="ddp_spawn")
    if {epochs} == 1:
        options = dict(enable_checkpointing=True, callbacks=[keep])
    trainer = trainer_with(LosswiseLogger("spawned"), max_epochs={epochs}, **options)
    trainer.fit(Net(), batches(), ckpt_path=None if {epochs} == 1 else "kept/base.ckpt")
"""


@pytest.mark.full
@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_two_fine_tunings_in_worker_processes(watched: Server, tmp_path: Path) -> None:
    """The script decides the session, and its worker of rank zero records it."""
    for epochs in (1, 2, 3):
        run_script(watched, tmp_path, IN_WORKERS.format(epochs=epochs), may_say=ABORT)
    steps = [sorted(x for x, _ in flat(watched, id_)["train_loss"]) for id_ in ids_of(watched, "spawned")]
    # of 8 batches, each of two processes has 4
    assert sorted(steps) == [list(range(12)), list(range(8, 16))]
