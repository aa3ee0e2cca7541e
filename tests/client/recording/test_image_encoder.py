"""Image sequences: what the caller's thread does, what the encoder does, what goes wrong."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from losswise.image_sequence import ImageSequence
from losswise.recording import image_encoder
from losswise.values import pixels
from tests.client.values.imaging import Kept, OnAccelerator, decoded, picture
from tests.support.server import eventually

torch: Any = pytest.importorskip("torch")


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Encoding stands still until this event is set."""
    event, png = threading.Event(), pixels.ImageCopy.png

    def wait(self: pixels.ImageCopy) -> tuple[bytes, int, int]:
        assert event.wait(20.0)
        return png(self)

    monkeypatch.setattr(pixels.ImageCopy, "png", wait)
    yield event
    event.set()


# what a record says


def test_an_image_becomes_a_png_and_a_record(kept: Kept) -> None:
    outputs, metrics = {"class": "cat", "boxes": [[1, 2]]}, {"loss": 0.5, "iou": float("nan")}
    kept.sequence().append(picture(), "7", outputs, metrics)
    assert kept.encoder.wait(10.0)
    data = kept.images[0].data
    assert kept.records == [
        {
            "type": "image",
            "sequence": "predictions",
            "x": 7,
            "image_id": "7",
            "sha256": hashlib.sha256(data).hexdigest(),
            "width": 16,
            "height": 16,
            "outputs": outputs,
            "metrics": {"loss": 0.5, "iou": "NaN"},
        }
    ]
    assert np.array_equal(decoded(data), picture())


def test_names_and_x_as_frameworks_have_them(kept: Kept) -> None:
    kept.sequence(torch.tensor(3), 5).append(picture(), np.int64(2))
    kept.sequence(4.0, "a").append(picture(), image_id="b")
    assert kept.encoder.wait(10.0)
    told = [(record["sequence"], record["x"], record["image_id"]) for record in kept.records]
    assert told == [("5", 3, "2"), ("a", 4, "b")]


# what the caller's thread does and does not


def test_the_calling_thread_copies_and_another_encodes(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    on: list[str] = []
    png = pixels.ImageCopy.png

    def noted(self: pixels.ImageCopy) -> tuple[bytes, int, int]:
        on.append(threading.current_thread().name)
        return png(self)

    monkeypatch.setattr(pixels.ImageCopy, "png", noted)
    array = picture()
    for step in range(3):
        array[:] = step
        kept.sequence(step).append(array, "0")
    array[:] = 99
    assert [shown.max() for shown in kept.shown()] == [0, 1, 2]
    assert set(on) == kept.put_by == {"losswise-images"}


def test_outputs_that_change_later_are_kept_as_they_were(kept: Kept, held: threading.Event) -> None:
    outputs = {"scores": [0.5]}
    kept.sequence().append(picture(), "0", outputs)
    outputs["scores"][0] = 0.9
    held.set()
    assert kept.encoder.wait(10.0)
    assert kept.records[0]["outputs"] == {"scores": [0.5]}


def test_an_accelerator_is_not_waited_for(kept: Kept) -> None:
    began = time.monotonic()
    kept.sequence(OnAccelerator(torch.tensor(5))).append(OnAccelerator(torch.from_numpy(picture())), "0")
    assert time.monotonic() - began < 0.5
    assert np.array_equal(kept.shown()[0], picture())
    assert kept.records[0]["x"] == 5


def test_a_slow_disk_is_not_waited_for(kept: Kept) -> None:
    kept.has_room = False
    began = time.monotonic()
    for step in range(3):
        kept.sequence(step).append(picture(step), "0")
    assert time.monotonic() - began < 0.5
    assert not kept.encoder.wait(0.3)
    kept.has_room = True
    assert [np.array_equal(shown, picture(step)) for step, shown in enumerate(kept.shown())] == [True] * 3


def test_images_for_which_the_disk_has_no_room_are_dropped_at_the_end(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    kept.has_room = False
    for step in range(3):
        kept.sequence(step).append(picture(step), "0")
    assert not kept.encoder.wait(0.3)
    kept.encoder.drop()
    assert kept.encoder.wait(10.0)
    kept.has_room = True
    kept.sequence(9).append(picture(9), "0")
    assert np.array_equal(kept.shown(), [picture(9)])
    assert "3 images were not encoded in time" in capsys.readouterr().err


def test_where_too_many_wait_append_waits_with_one_warning(
    kept: Kept, held: threading.Event, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(image_encoder, "MAX_PIXEL_BYTES", 3 * picture().nbytes)
    added: list[int] = []

    def add() -> None:
        for number in range(8):
            kept.sequence(number).append(picture(number), "0")
            added.append(number)

    caller = threading.Thread(target=add)
    caller.start()
    time.sleep(0.5)
    assert added == [0, 1, 2]
    held.set()
    caller.join(20.0)
    assert [np.array_equal(shown, picture(number)) for number, shown in enumerate(kept.shown())] == [True] * 8
    assert capsys.readouterr().err.count("append") == 1


def test_an_image_larger_than_the_bound_goes_alone(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_encoder, "MAX_PIXEL_BYTES", 100)
    for number in range(3):
        kept.sequence().append(picture(number), str(number))
    assert len(kept.shown()) == 3


def test_wait_says_when_it_was_too_short_and_drop_gives_up_the_rest(
    kept: Kept, held: threading.Event, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    encoded: list[pixels.ImageCopy] = []
    png = pixels.ImageCopy.png
    monkeypatch.setattr(pixels.ImageCopy, "png", lambda self: encoded.append(self) or png(self))
    for number in range(3):
        kept.sequence(number).append(picture(number), "0")
    assert not kept.encoder.wait(0.1)
    kept.encoder.drop()
    assert "3 images" in capsys.readouterr().err
    kept.sequence(9).append(picture(9), "0")
    held.set()
    assert np.array_equal(kept.shown()[0], picture(9))
    assert [record["x"] for record in kept.records] == [9]
    assert len(encoded) == 2  # the one that was being encoded, and the last


def test_the_thread_starts_with_the_first_image_and_ends_when_none_comes(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    def threads() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "losswise-images"]

    eventually(lambda: not threads())  # those of other tests
    monkeypatch.setattr(image_encoder, "IDLE_TIMEOUT_S", 0.05)
    sequence = kept.sequence()
    assert not threads()
    for number in range(2):
        sequence.append(picture(number), str(number))
        assert len(kept.shown()) == number + 1
        eventually(lambda: not threads())


def test_many_threads_add_to_one_sequence(kept: Kept) -> None:
    sequence = kept.sequence()
    callers = [
        threading.Thread(target=lambda n=n: [sequence.append(picture(n), f"{n} {i}") for i in range(20)])
        for n in range(4)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(kept.shown()) == 80
    assert len({record["image_id"] for record in kept.records}) == 80
    assert len({record["sha256"] for record in kept.records}) == 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_records_its_own_images_only(kept: Kept, held: threading.Event) -> None:
    kept.sequence(0).append(picture(0), "the parent's")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            kept.encoder.after_fork()
            held.set()
            kept.sequence(1).append(picture(1), "the child's")
            kept.encoder.wait(10.0)
            status = 0 if [record["image_id"] for record in kept.records] == ["the child's"] else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    held.set()
    assert kept.encoder.wait(10.0)
    assert [record["image_id"] for record in kept.records] == ["the parent's"]


# what goes wrong


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((2, 3, 4, 5)), "shape (2, 3, 4, 5)"),
        (np.full((2, 2), "a"), "not pixels"),
        (None, "NoneType"),
        ("nowhere.png", "no file"),
        (b"\x89PNG\r\n\x1a\n and no more", "cannot read"),
    ],
)
def test_what_is_no_image_is_skipped_with_one_warning(
    image: Any, words: str, kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    for step in range(3):
        kept.sequence(step).append(image, "the wrong one")
    kept.sequence(3).append(picture(), "right")
    assert len(kept.shown()) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "'predictions'" in line
    assert "'the wrong one'" in line
    assert words in line


def test_an_x_that_is_no_whole_number_is_skipped_with_one_warning(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    for x in (1.5, None, 2**63, "one"):
        kept.sequence(x).append(picture(), "0")
    kept.sequence(1).append(picture(), "0")
    assert len(kept.shown()) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "whole number" in line
    assert "'predictions'" in line


def test_outputs_that_are_no_dictionary_are_left_out(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    kept.sequence().append(picture(), "0", ["cat"], {"loss": 1.0})  # type: ignore[arg-type]
    assert len(kept.shown()) == 1
    assert (kept.records[0]["outputs"], kept.records[0]["metrics"]) == ({}, {"loss": 1.0})
    assert "outputs takes a dictionary" in capsys.readouterr().err


class Hostile:
    """Raises for whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("hostile")

    def __str__(self) -> str:
        raise RuntimeError("hostile")

    __repr__ = __str__


def test_nothing_that_is_given_makes_append_raise(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    hostile: Any = Hostile()
    kept.sequence(name=hostile).append(picture(), "0")
    kept.sequence().append(hostile, "1")
    kept.sequence().append(picture(), hostile)
    kept.sequence(hostile).append(picture(), "3")
    kept.sequence().append(picture(), "4", {hostile: 1})
    kept.sequence().append(np.zeros(3), hostile)
    kept.sequence().append(picture(), "last")
    assert kept.encoder.wait(10.0)
    assert kept.records[-1]["image_id"] == "last"
    assert "Traceback" not in capsys.readouterr().err


def test_a_session_that_records_nothing_takes_images_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    ImageSequence(None, 0, "disabled").append(picture(), "0")
    assert capsys.readouterr().err == ""
