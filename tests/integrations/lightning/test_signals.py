"""SIGTERM during `Trainer.fit`: with LosswiseLogger a training stops as with CSVLogger, with its checkpoint."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.client.conftest import journal_records
from tests.integrations.lightning.runs import SCRIPT
from tests.support.server import clean_environment

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that a script can handle")

BODY = """
    import os, time
    from pytorch_lightning.loggers import CSVLogger

    class Slow(Net):
        def training_step(self, batch, index):
            if self.global_step == 2:
                print("ready", flush=True)
            time.sleep(0.02)
            return super().training_step(batch, index)

        def on_exception(self, error):
            print("on_exception of the module", type(error).__name__, flush=True)

    class Says(pl.Callback):
        def on_exception(self, trainer, module, error):
            print("on_exception", type(error).__name__, flush=True)

    logger = {logger}
    emergency = pl.callbacks.OnExceptionCheckpoint(".", filename="emergency")
    options = dict(max_epochs=20 if "{way}" == "requeue" else 1000, enable_checkpointing=True, **{options})
    trainer = trainer_with(logger, callbacks=[emergency, Says()], **options)
    try:
        trainer.fit(Slow(), batches())
    finally:
        print("finally", trainer.state.status, flush=True)
        if "{way}" == "twice":
            time.sleep(1)
    print("end", flush=True)
"""
LOGGERS = {"plain": 'CSVLogger(".")', "ours": 'LosswiseLogger("run")', "session": 'CSVLogger(".")'}
SLURM = "from pytorch_lightning.plugins.environments import SLURMEnvironment"
WAYS: dict[str, list[int]] = {
    "once": [signal.SIGTERM],
    "twice": [signal.SIGTERM, signal.SIGTERM],
    "requeue": [getattr(signal, "SIGUSR1", 0), signal.SIGTERM],
}


class Run:
    """A training in a folder of its own."""

    def __init__(self, folder: Path, home: Path, who: str, way: str, command: tuple[str, ...]) -> None:
        folder.mkdir()
        self.folder, self.way = folder, way
        options = "{'plugins': [SLURMEnvironment(auto_requeue=True)]}" if way == "requeue" else "{}"
        before = SLURM if way == "requeue" else "pass"
        body = BODY.format(logger=LOGGERS[who], way=way, options=options)
        if who == "session":  # a session of the script's own beside another logger
            body = "\n    import losswise\n    session = losswise.Session('run', track_git=False)" + body
        path = folder / "script.py"
        head = textwrap.dedent(SCRIPT.format(before=before, package="pytorch_lightning"))
        path.write_text(head + textwrap.indent(textwrap.dedent(body), " " * 4))
        (folder / "scontrol").write_text("#!/bin/sh\necho scontrol $@ > requeued\n")
        (folder / "scontrol").chmod(0o755)
        slurm = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}
        environ = clean_environment(
            home,
            LW_JOURNAL_DIR=str(folder / "journals"),
            LW_MODE="offline",
            PYTHONPATH=str(ROOT),
            PATH=f"{folder}{os.pathsep}{os.environ['PATH']}",
            **(slurm if way == "requeue" else {}),
        )
        self.process = subprocess.Popen(
            [sys.executable, *command, str(path)],
            env=environ,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _until(self, word: str) -> str:
        """What it prints up to the line that begins with this word, or to its end."""
        assert self.process.stdout is not None
        output = ""
        for line in self.process.stdout:
            output += line
            if line.startswith(word):
                break
        return output

    def finished(self) -> tuple[int, str, list[str]]:
        """The exit status, what it printed, and the checkpoints that it left."""
        output = self._until("ready")
        for number in WAYS[self.way]:
            if self.process.poll() is None:
                self.process.send_signal(number)
                if self.way == "twice":
                    output += self._until("finally")  # where the second one finds it, always
                time.sleep(0.3)
        rest, self.errors = self.process.communicate(timeout=120)
        found = [path.name for path in self.folder.glob("*") if path.suffix == ".ckpt" or path.name == "requeued"]
        return self.process.returncode, output + rest, sorted(found)


@pytest.mark.full
@pytest.mark.parametrize(
    ("who", "way"),
    [
        ("ours", "once"),
        *(
            pytest.param(*cell, marks=pytest.mark.full)
            for cell in [
                ("ours", "requeue"),
                ("ours", "twice"),
                ("session", "once"),
                ("session", "twice"),
                ("session", "requeue"),
            ]
        ),
    ],
)
def test_a_training_stops_as_without_losswise(clean_home: Path, tmp_path: Path, who: str, way: str) -> None:
    plain, run = [Run(tmp_path / name, clean_home, name, way, ()) for name in ("plain", who)]
    expected = plain.finished()
    assert run.finished() == expected, run.errors
    wanted = {"requeue": ["hpc_ckpt_1.ckpt", "requeued"]}.get(way, ["emergency.ckpt"])
    assert set(wanted) <= set(expected[2]), plain.errors
    assert last_status(run) == ("cancelled", "interrupted")


@pytest.mark.full
def test_torchrun_stops_a_training_as_without_losswise(clean_home: Path, tmp_path: Path) -> None:
    command = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=1")
    plain, run = [Run(tmp_path / name, clean_home, name, "once", command) for name in ("plain", "ours")]
    assert run.finished() == plain.finished(), run.errors
    assert last_status(run) == ("cancelled", "interrupted")


def last_status(run: Run) -> tuple[str, str | None]:
    ends = [record for record in journal_records(run.folder / "journals") if record["type"] == "status"]
    return ends[-1]["status"], ends[-1]["reason"]
