"""LosswiseLogger where Lightning trains in two processes: one session, in whichever way they are started."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integrations.lightning_runs import ids_of, run_script
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


@pytest.mark.parametrize("strategy", ["ddp", "ddp_spawn", "ddp_fork"])
def test_two_processes_give_one_session(watched: Server, tmp_path: Path, strategy: str) -> None:
    tag, tries = f"two by {strategy}", 0
    while ABORT in run_script(watched, tmp_path, TWO.format(tag=tag, strategy=strategy), may_say=ABORT):
        tries += 1
        assert tries < 5
        tag = f"two by {strategy} {tries}"
    [id_] = ids_of(watched, tag)
    session = watched.session(id_)
    assert (session["status"], session["max_iter"]) == ("complete", STEPS)
    loss = columns(watched, session)["loss"]
    assert [x for x, _ in loss["train_loss"]] == list(range(STEPS))
    assert [x for x, _ in loss["val_loss"]] == [3, 7]
    assert len(loss["test_loss"]) == 1
