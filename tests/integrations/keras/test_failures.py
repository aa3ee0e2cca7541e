"""Whatever becomes of the tracker, a training goes on to its end."""

from __future__ import annotations

import textwrap
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from losswise.integrations import LosswiseKerasCallback
from losswise.integrations.keras import callback as integration
from losswise.integrations.keras import resumption
from tests.integrations.keras.fits import Batches, fit, network, run_script
from tests.integrations.reading import columns
from tests.support.server import Server

EXPECTED = 12


def train(*callbacks: Any) -> LosswiseKerasCallback:
    """A fit that must run to its end."""
    callback, batches = LosswiseKerasCallback(track_git=False), Batches()
    history = fit(network(), callback, batches, *callbacks).history
    assert len(batches.losses) == EXPECTED
    assert np.isfinite(history["val_loss"]).all()
    return callback


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LW_END_TIMEOUT", "1")


def test_no_server(watched: Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LW_BASE_URL", "http://127.0.0.1:9")
    train()
    assert "losswise sync" in capfd.readouterr().err


def test_a_wrong_key(watched: Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LW_API_KEY", "lw_not_a_key")
    train()
    assert "key" in capfd.readouterr().err


def test_disabled(watched: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LW_MODE", "disabled")
    callback = train(keras.callbacks.BackupAndRestore("backup"))
    assert callback.session.url == ""


@pytest.mark.parametrize("own_server", ["sqlite"], indirect=True)
def test_a_server_that_goes_during_fit(
    own_server: Server, clean_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LW_BASE_URL", own_server.url)
    monkeypatch.setenv("LW_API_KEY", own_server.api_key)
    monkeypatch.chdir(tmp_path)
    port = own_server.port
    stop = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: own_server.stop() if epoch == 1 else None)
    begun = time.monotonic()
    callback = train(stop)
    assert time.monotonic() - begun < 20
    own_server.start(port)
    assert callback.session.flush(20)
    session = own_server.session(callback.session.id)
    assert len(columns(own_server, session)["loss"]["loss"]) == EXPECTED
    assert session["status"] == "complete"


FULL = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
class Fills(t.keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            callback.session.flush()
            resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
callback, batches = LosswiseKerasCallback(), t.Batches()
t.fit(t.network(), callback, batches, Fills())
print(len(batches.losses))
"""


@pytest.mark.full
@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_a_disk_that_is_full_during_fit(watched: Server, clean_home: Path) -> None:
    """A limit on the size of files is what this user may set; a full disk answers the same way."""
    pytest.importorskip("resource")
    session, done = run_script(watched, clean_home, textwrap.dedent(FULL))
    assert (done.returncode, done.stdout.strip()) == (0, str(EXPECTED)), done.stderr
    assert "cannot be written" in done.stderr
    assert columns(watched, session)["loss"]["loss"][:4]


class Unlucky(Exception):
    """What a broken function raises."""


def breaks(*arguments: Any, **named: Any) -> Any:
    raise Unlucky


PARTS = (
    "find_fit_frame",
    "model_params",
    "model_summary",
    "learning_rate",
    "count_samples",
    "Session",
    "FitWatch",
)
METHODS = [name for name in vars(LosswiseKerasCallback) if name.startswith("_") and "__" not in name]


@pytest.mark.full
@pytest.mark.parametrize("name", [*PARTS, "find_backup", *METHODS])
@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_an_error_of_our_own(watched: Server, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """What the callback calls, one after another, broken."""
    callback, batches = LosswiseKerasCallback(track_git=False), Batches()
    places = {"find_backup": resumption, **dict.fromkeys(METHODS, callback)}
    monkeypatch.setattr(places.get(name, integration), name, breaks)
    model = network()
    fit(model, callback, keras.callbacks.BackupAndRestore("backup"), batches)
    model.evaluate(np.zeros((1, 64)), np.zeros(1), verbose=0, callbacks=[callback])
    assert len(batches.losses) == EXPECTED
