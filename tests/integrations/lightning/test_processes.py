"""LosswiseLogger where Lightning trains in two processes: one session, in whichever way they are started."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integrations.lightning.runs import ids_of, run_script
from tests.integrations.reading import columns
from tests.support.server import Server

STEPS = 8  # two epochs of eight batches, which two processes share


ABORT = "terminate called without an active exception"
"""What torch's process of rank one sometimes says as it ends; none of ours is in it."""

TWO = """
    logger = LosswiseLogger("{tag}")
    trainer = trainer_with(logger, devices=2, strategy="{strategy}")
    net = Net()
    trainer.fit(net, batches(), batches())
    if trainer.is_global_zero:
        print("fitted", logger.version)
    trainer.test(net, batches(), verbose=False)
"""


def run_without_abort(server: Server, folder: Path, body: str, tag: str, strategy: str) -> str:
    """Run a script until torch does not abort; the tag of the session of the run that counts."""
    for attempt in range(5):
        own = f"{tag} {strategy} {attempt}"
        if ABORT not in run_script(server, folder, body.format(tag=own, strategy=strategy), may_say=ABORT):
            return own
    raise AssertionError(f"torch aborted in each of {attempt + 1} runs")


@pytest.mark.full
@pytest.mark.parametrize("strategy", ["ddp", "ddp_spawn", "ddp_fork"])
def test_two_processes_give_one_session(watched: Server, tmp_path: Path, strategy: str) -> None:
    tag = run_without_abort(watched, tmp_path, TWO, "two by", strategy)
    [id_] = ids_of(watched, tag)
    session = watched.session(id_)
    assert (session["status"], session["max_iter"]) == ("complete", STEPS)
    loss = columns(watched, session)["loss"]
    assert [x for x, _ in loss["train_loss"]] == list(range(STEPS))
    assert [x for x, _ in loss["val_loss"]] == [3, 7]
    assert len(loss["test_loss"]) == 1


AGAIN = """
    import glob
    keep = pl.callbacks.ModelCheckpoint("kept", save_top_k=-1)
    options = dict(enable_checkpointing=True, callbacks=[keep], devices=2, strategy="{strategy}")
    logger = LosswiseLogger("{tag}")
    trainer = trainer_with(logger, max_epochs={epochs}, **options)
    trainer.fit(Net(), batches(), ckpt_path=max(glob.glob("kept/*.ckpt"), default=None))
    if trainer.is_global_zero:
        print("id", logger.version)
"""


@pytest.mark.full
@pytest.mark.parametrize("strategy", ["ddp", "ddp_spawn", "ddp_fork"])
def test_two_processes_go_on_from_a_checkpoint(watched: Server, tmp_path: Path, strategy: str) -> None:
    tag = f"again by {strategy}"
    printed = "".join(
        run_script(watched, tmp_path, AGAIN.format(tag=tag, strategy=strategy, epochs=epochs), may_say=ABORT)
        for epochs in (1, 2)
    )
    [id_] = ids_of(watched, tag)
    said = {line.split()[1] for line in printed.splitlines() if line.startswith("id ")}
    assert said <= {id_}
    assert said or ABORT in printed
    loss = columns(watched, watched.session(id_))["loss"]
    assert [x for x, _ in loss["train_loss"]] == list(range(STEPS))


BEGUN = """
    logger = LosswiseLogger("{tag}")
    logger.log_metrics({{"train_loss": 1.0}}, step=0)
    trainer = trainer_with(logger, devices=2, strategy="{strategy}")
    trainer.fit(Net(), batches())
"""


@pytest.mark.full
@pytest.mark.parametrize("strategy", ["ddp_spawn", "ddp_fork"])
def test_a_session_that_was_begun_before(watched: Server, tmp_path: Path, strategy: str) -> None:
    tag = run_without_abort(watched, tmp_path, BEGUN, "begun before", strategy)
    [id_] = ids_of(watched, tag)
    session = watched.session(id_)
    assert session["status"] == "complete"
    assert sorted(x for x, _ in columns(watched, session)["loss"]["train_loss"]) == [0, *range(STEPS)]
