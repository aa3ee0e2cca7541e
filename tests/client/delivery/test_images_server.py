"""Image sequences against the real server, on both databases."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

import losswise
from losswise.cli import main
from losswise.delivery.client import Client
from tests.client.conftest import Script
from tests.client.fake_server import FakeServer
from tests.client.values.imaging import decoded, picture
from tests.support.server import Server

torch: Any = pytest.importorskip("torch")


@pytest.fixture
def figure() -> Figure:
    figure = Figure(figsize=(2, 1), dpi=100)
    figure.subplots().plot([1, 2, 3])
    return figure


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes of the bytes that a server took, each as often as it did."""
    hashes: list[str] = []
    put_blob = Client.put_blob

    def noted(self: Client, session: str, sha256: str, data: bytes) -> Any:
        answer = put_blob(self, session, sha256, data)
        if answer.status == 200:
            hashes.append(sha256)
        return answer

    monkeypatch.setattr(Client, "put_blob", noted)
    return hashes


def images_at(server: Server, session_id: str) -> list[dict[str, Any]]:
    """What the server tells of the session's images, each with its `pixels`."""
    told = server.session(session_id)["images"]
    for image in told:
        answer = server.request("GET", f"/api/v2/sessions/{session_id}/blobs/{image['sha256']}")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "image/png"
        assert hashlib.sha256(answer.content).hexdigest() == image["sha256"]
        image["pixels"] = decoded(answer.content)
    return told


def xs_of(told: list[dict[str, Any]]) -> list[int]:
    """The x of images that `record` appended; each must look as it did there."""
    for image in told:
        assert np.array_equal(image["pixels"], picture(image["x"]))
    return [image["x"] for image in told]


def where(server: Server) -> dict[str, Any]:
    return {"track_git": False, "base_url": server.url, "api_key": server.api_key}


def record(session: losswise.Session, xs: range) -> None:
    for x in xs:
        session.image_sequence(x, "predictions").append(picture(x), "0")


RECORD = """
        import losswise, numpy

        def record(session, xs):
            for x in xs:
                pixels = numpy.random.default_rng(x).integers(0, 256, (16, 16, 3), dtype=numpy.uint8)
                session.image_sequence(x, "predictions").append(pixels, "0")
"""
"""`record`, for a script."""


def test_images_of_each_framework_arrive_with_their_pixels(
    server: Server, journals: Path, sent: list[str], figure: Figure
) -> None:
    with losswise.Session(**where(server)) as session:
        sequence = session.image_sequence(x=3, name="predictions")
        sequence.append(picture(1), "NumPy", outputs={"class": "cat"}, metrics={"loss": 0.5})
        sequence.append(torch.from_numpy(picture(2).transpose(2, 0, 1).copy()), "Torch")
        sequence.append(Image.fromarray(picture(3)), "Pillow")
        sequence.append(figure, "Matplotlib")
        session.image_sequence(4, "predictions").append(picture(1), "NumPy")
    told = images_at(server, session.id)
    assert [(image["x"], image["image_id"]) for image in told] == [
        *((3, name) for name in ("NumPy", "Torch", "Pillow", "Matplotlib")),
        (4, "NumPy"),
    ]
    for image, expected in zip(told, (1, 2, 3, None, 1), strict=True):
        assert image["sequence"] == "predictions"
        assert (image["height"], image["width"]) == image["pixels"].shape[:2]
        assert expected is None or np.array_equal(image["pixels"], picture(expected))
    assert told[3]["pixels"].shape == (100, 200, 4)
    assert (told[0]["outputs"], told[0]["metrics"]) == ({"class": "cat"}, {"loss": 0.5})
    assert len(sent) == len(set(sent)) == 4
    assert list(journals.iterdir()) == []


def test_the_same_image_at_each_step_is_sent_once(server: Server, journals: Path, sent: list[str]) -> None:
    with losswise.Session(**where(server)) as session:
        for step in range(20):
            session.image_sequence(step, "input").append(picture(), "0")
            if step % 5 == 0:
                session.flush()
    assert [image["x"] for image in images_at(server, session.id)] == list(range(20))
    assert len(sent) == 1


def test_an_image_after_the_end_opens_the_session_again(server: Server, journals: Path) -> None:
    session = losswise.Session(**where(server))
    record(session, range(2))
    session.done()
    record(session, range(2, 4))
    assert session.flush()
    assert server.session(session.id)["status"] == "active"
    session.done()
    assert xs_of(images_at(server, session.id)) == [0, 1, 2, 3]
    assert list(journals.iterdir()) == []


@pytest.mark.full
def test_images_of_an_outage_arrive_later_once_and_in_order(
    own_server: Server, journals: Path, sent: list[str]
) -> None:
    session = losswise.Session(**where(own_server))
    record(session, range(3))
    assert session.flush()
    port = own_server.port
    own_server.stop()
    began = time.monotonic()
    record(session, range(3, 9))
    assert time.monotonic() - began < 1.0
    time.sleep(0.5)
    own_server.start(port)
    session.done()
    assert xs_of(images_at(own_server, session.id)) == list(range(9))
    assert list(journals.iterdir()) == []


def test_images_of_an_offline_session_are_synced(
    server: Server, journals: Path, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LW_MODE", "offline")
    with losswise.Session(track_git=False) as session:
        record(session, range(5))
        record(session, range(5))
    monkeypatch.delenv("LW_MODE")
    monkeypatch.setenv("LW_BASE_URL", server.url)
    monkeypatch.setenv("LW_API_KEY", server.api_key)
    assert main(["sync"]) == 0
    assert xs_of(images_at(server, session.id)) == sorted([*range(5), *range(5)])
    assert len(sent) == 5
    assert list(journals.iterdir()) == []


def test_images_of_a_killed_script_are_synced(
    server: Server, script: Callable[..., Script], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = """
        session = losswise.Session(track_git=False)
        record(session, range(3))
        session.flush(20.0)
        print(session.id)
        print("ready", flush=True)
        input()
    """
    run = script(RECORD + code, LW_MODE="offline")
    run.until("ready")
    run.process.kill()
    run.wait()
    monkeypatch.setenv("LW_BASE_URL", server.url)
    monkeypatch.setenv("LW_API_KEY", server.api_key)
    assert main(["sync", str(tmp_path / "journals")]) == 0
    assert xs_of(images_at(server, run.output.split()[0])) == [0, 1, 2]
    assert list((tmp_path / "journals").iterdir()) == []


@pytest.mark.full_on_postgresql
def test_a_script_that_just_ends_leaves_no_image_behind(server: Server, script: Callable[..., Script]) -> None:
    code = """
        session = losswise.Session(track_git=False)
        record(session, range(30))
        print(session.id, flush=True)
    """
    run = script(RECORD + code, LW_BASE_URL=server.url, LW_API_KEY=server.api_key)
    assert run.wait() == 0
    assert xs_of(images_at(server, run.output.split()[0])) == list(range(30)), run.errors


@pytest.mark.full_on_postgresql
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_parent_and_forked_child_each_send_their_own(server: Server, script: Callable[..., Script]) -> None:
    code = """
        import os
        session = losswise.Session(track_git=False)
        record(session, range(5))
        child = os.fork()
        record(session, range(10, 13) if child == 0 else range(5, 8))
        session.flush()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        session.done()
        print(session.id, flush=True)
    """
    run = script(RECORD + code, LW_BASE_URL=server.url, LW_API_KEY=server.api_key)
    assert run.wait() == 0
    assert xs_of(images_at(server, run.output.split()[0])) == [*range(8), *range(10, 13)], run.errors


def test_a_disabled_session_takes_images_and_does_nothing(journals: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LW_MODE", "disabled")
    with losswise.Session(track_git=False) as session:
        record(session, range(3))
    assert not journals.exists()


def test_an_image_after_the_end_is_recorded_by_an_end_that_follows_at_once(recorder: FakeServer) -> None:
    session = losswise.Session(track_git=False)
    session.done()
    session.image_sequence(3, "noise").append(np.zeros((4, 4), np.uint8), "a")
    session.done()
    assert [record["image_id"] for record in recorder.records("image")] == ["a"]
    assert len(recorder.blobs) == 1
    assert len(recorder.records("status")) == 2
