"""Images of real frameworks become PNGs whose pixels are what was given."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import textwrap
import time
import types
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image, ImageCms

from losswise.values.pixels import copy_image
from losswise.values.png import ImageError
from tests.client.conftest import ROOT
from tests.client.values.imaging import OnAccelerator

torch: Any = pytest.importorskip("torch")

RANDOM = np.random.default_rng(5)
GRAY = RANDOM.integers(0, 256, (6, 9), dtype=np.uint8)
COLOR = RANDOM.integers(0, 256, (6, 9, 3), dtype=np.uint8)
ALPHA = RANDOM.integers(0, 256, (6, 9, 4), dtype=np.uint8)


def decoded(image: Any) -> np.ndarray:
    """The pixels that a person who opens the PNG gets, with the size that was told for it."""
    data, width, height = copy_image(image).png()
    shown = Image.open(io.BytesIO(data))
    assert shown.format == "PNG"
    assert shown.size == (width, height)
    return np.asarray(shown)


@pytest.mark.parametrize("pixels", [GRAY, COLOR, ALPHA], ids=["gray", "color", "alpha"])
def test_each_layout_of_an_array_is_the_same_image(pixels: np.ndarray) -> None:
    first = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    last = np.moveaxis(first, 0, 2)
    for layout in (pixels, first, last, last[None], first[None]):
        assert np.array_equal(decoded(layout), pixels), layout.shape
        assert np.array_equal(decoded(torch.from_numpy(layout.copy())), pixels), layout.shape


def test_where_both_ends_could_be_channels_torch_is_channels_first_and_numpy_last() -> None:
    both = RANDOM.integers(0, 256, (3, 5, 3), dtype=np.uint8)
    assert np.array_equal(decoded(both), both)
    assert np.array_equal(decoded(torch.from_numpy(both)), both.transpose(1, 2, 0))


def test_arrays_that_lie_strangely_in_memory() -> None:
    assert np.array_equal(decoded(COLOR[::-1, ::2]), COLOR[::-1, ::2])
    assert np.array_equal(decoded(np.asfortranarray(COLOR)), COLOR)
    assert np.array_equal(decoded(torch.from_numpy(COLOR).permute(2, 0, 1)[:, 1:]), COLOR[1:])
    assert np.array_equal(decoded(torch.from_numpy(GRAY)[:, :1].expand(6, 4)), GRAY[:, :1].repeat(4, 1))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[False, True]]), [[0, 255]]),
        (np.array([[0.0, 0.5, 1.0]]), [[0, 128, 255]]),
        (np.array([[0.0, 0.5, 1.0005]], np.float32), [[0, 128, 255]]),
        (np.array([[0.0, 1.0, 254.6]]), [[0, 1, 255]]),
        (np.array([[-1.0, 0.0, 1.0]], np.float16), [[0, 128, 255]]),
        (np.array([[100, 300, 500]]), [[0, 128, 255]]),
        (np.array([[0, 1, 1]]), [[0, 255, 255]]),
        (np.array([[0, 7, 255]], np.int32), [[0, 7, 255]]),
        (np.array([[-4, 0]], np.int8), [[0, 255]]),
        (np.array([[0, 255, 32768, 65535]], np.uint16), [[0, 0, 128, 255]]),
        (np.array([[0, 255, 32768, 65535]], ">u2"), [[0, 0, 128, 255]]),
        (np.array([[np.nan, 0.5, np.inf, -np.inf]]), [[0, 128, 255, 0]]),
        (np.array([[np.nan, -2.0, 2.0]]), [[0, 0, 255]]),
        (np.array([[np.nan, np.nan]]), [[0, 0]]),
        (np.array([[300.0, 300.0]]), [[255, 255]]),
        (np.array([[-5, -5]]), [[0, 0]]),
        (np.array([[-1e308, 1e308]]), [[0, 255]]),
    ],
)
def test_numbers_become_pixels(values: np.ndarray, expected: list[list[int]], recwarn: pytest.WarningsRecorder) -> None:
    assert decoded(values).tolist() == expected
    assert list(recwarn) == []


def test_torch_tensors_of_other_types() -> None:
    for values in (
        torch.tensor([[0.0, 1.0]], dtype=torch.bfloat16),
        torch.tensor([[0.0, 1.0]], requires_grad=True) * 1,
        torch.tensor([[False, True]]),
        torch.tensor([[0, 255]]),
    ):
        assert decoded(values).tolist() == [[0, 255]]


class Protocol:
    """An array of a framework that is only known by NumPy's protocol, as JAX's and TensorFlow's are."""

    def __init__(self, array: np.ndarray, seconds: float = 0.0) -> None:
        self.array, self.shape, self.seconds = array, array.shape, seconds

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        time.sleep(self.seconds)
        return self.array.copy() if copy else self.array


def test_arrays_of_other_frameworks() -> None:
    mutable = Protocol(COLOR.copy())
    taken = copy_image(mutable)
    mutable.array[:] = 0
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(taken.png()[0]))), COLOR)
    assert np.array_equal(decoded(GRAY.tolist()), GRAY)


def test_arrays_that_never_change_are_read_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Protocol, "__module__", "jaxlib._jax")
    began = time.monotonic()
    taken = copy_image(Protocol(COLOR, seconds=0.5))
    assert time.monotonic() - began < 0.2
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(taken.png()[0]))), COLOR)


def test_a_tensor_on_an_accelerator_is_copied_there_and_not_waited_for() -> None:
    tensor = torch.from_numpy(COLOR.copy()).permute(2, 0, 1)
    began = time.monotonic()
    taken = copy_image(OnAccelerator(tensor))
    assert time.monotonic() - began < 0.5
    tensor.zero_()
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(taken.png()[0]))), COLOR)


@pytest.mark.parametrize("make", [lambda array: array, torch.from_numpy, Image.fromarray])
def test_what_is_written_later_changes_nothing(make: Any) -> None:
    array = COLOR.transpose(2, 0, 1).copy() if make is torch.from_numpy else COLOR.copy()
    image = make(array)
    taken = copy_image(image)
    if isinstance(image, Image.Image):
        image.paste((0, 0, 0), (0, 0, *image.size))
    array[:] = 0
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(taken.png()[0]))), COLOR)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LA", "RGBX"])
def test_modes_of_pillow(mode: str) -> None:
    image = Image.fromarray(COLOR).convert(mode)
    kind = {"1": "L", "L": "L"}.get(mode, "RGBA" if mode in ("LA", "RGBA") else "RGB")
    assert np.array_equal(decoded(image), np.asarray(image.convert(kind)))


@pytest.mark.parametrize("mode", ["LAB", "La", "PA", "RGBa"])
def test_modes_of_pillow_that_are_not_supported(mode: str) -> None:
    with pytest.raises(ImageError, match=rf"mode {mode} .* convert it to RGB"):
        copy_image(Image.new(mode, (2, 1)))


def test_modes_of_pillow_with_more_than_eight_bits() -> None:
    deep = np.array([[0, 256, 65535]], np.uint16)
    assert decoded(Image.fromarray(deep)).tolist() == [[0, 1, 255]]
    assert decoded(Image.fromarray(np.array([[0.0, 1.0]], np.float32))).tolist() == [[0, 255]]
    assert decoded(Image.fromarray(np.array([[-100, 100]], np.int32))).tolist() == [[0, 255]]


def test_transparency_stays_and_what_a_camera_noted_goes() -> None:
    see_through = Image.fromarray(GRAY).convert("P")
    see_through.info["transparency"] = int(np.asarray(see_through)[0, 0])
    assert decoded(see_through)[0, 0, 3] == 0
    noted = Image.fromarray(COLOR)
    noted.info["exif"] = b"Exif\0\0 where it was taken"
    assert b"where it was taken" not in copy_image(noted).png()[0]


def test_a_color_profile_stays_where_the_colors_do() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for mode, expected in (("RGB", profile), ("CMYK", None)):
        image = Image.fromarray(COLOR).convert(mode)
        image.info["icc_profile"] = profile
        assert Image.open(io.BytesIO(copy_image(image).png()[0])).info.get("icc_profile") == expected


def test_an_image_that_was_opened_and_not_read(tmp_path: Path) -> None:
    Image.fromarray(COLOR).save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        taken = copy_image(image)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(taken.png()[0]))), COLOR)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "WEBP"])
def test_a_file_is_taken_as_it_is(format: str, tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.fromarray(COLOR).save(file, format)
    data = file.getvalue()
    assert copy_image(data).png() == (data, 9, 6)
    assert copy_image(bytearray(data)).png() == (data, 9, 6)
    path = tmp_path / "image"
    path.write_bytes(data)
    taken = copy_image(path)
    path.write_bytes(b"the next one")
    assert taken.png() == (data, 9, 6)
    path.write_bytes(data)
    assert copy_image(str(path)).png() == (data, 9, 6)


@pytest.fixture
def figure() -> Any:
    figure, axes = plt.subplots(figsize=(2, 1), dpi=100)
    figure.set_facecolor("red")
    axes.plot([1, 2, 3])
    yield figure
    plt.close("all")


def test_a_figure_is_drawn_as_it_is_saved(figure: Any) -> None:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    expected = np.asarray(Image.open(file))
    assert expected.shape == (100, 200, 4)
    assert len(np.unique(expected.reshape(-1, 4), axis=0)) > 2
    assert np.array_equal(decoded(figure), expected)
    assert np.array_equal(decoded(figure.axes[0]), expected)


def test_a_figure_without_pyplot_and_a_part_of_a_figure() -> None:
    figure = Figure(figsize=(2, 1), dpi=100, layout="constrained")
    left, _right = figure.subfigures(1, 2)  # type: ignore[misc]
    axes = left.subplots()
    axes.set_title("of a part")
    whole = decoded(figure)
    assert np.array_equal(decoded(left), whole)
    assert np.array_equal(decoded(axes), whole)


def test_drawing_leaves_a_figure_as_it_was(figure: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    other, _axes = plt.subplots()
    canvas, manager, drawn = figure.canvas, figure.canvas.manager, []
    monkeypatch.setattr(type(canvas), "draw_idle", lambda self: drawn.append(self))
    with plt.ion():
        figure.stale = False
        copy_image(figure)
        assert not figure.stale
        figure.axes[0].plot([3, 2, 1])
        drawn.clear()
        copy_image(figure)
    assert drawn == []
    assert figure.stale
    assert (figure.canvas, figure.canvas.manager, figure.dpi) == (canvas, manager, 100)
    assert plt.gcf() is other


def test_drawing_twice_shows_what_changed(figure: Any) -> None:
    before = decoded(figure)
    figure.axes[0].plot([3, 2, 1])
    assert not np.array_equal(decoded(figure), before)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((5, 6, 7)), "shape (5, 6, 7)"),
        (np.zeros((2, 4, 5, 3)), "shape (2, 4, 5, 3)"),
        (np.zeros(7), "shape (7,)"),
        (np.zeros((0, 5)), "shape (0, 5)"),
        (np.float64(1.0), "shape ()"),
        (torch.zeros(2, 3, 4, 5), "shape (2, 3, 4, 5)"),
        (None, "NoneType"),
        (object(), "object"),
        (b"no image", "these bytes"),
        ("/nowhere/image.png", "no file"),
        ([[1, 2], [3]], "NumPy cannot read it"),
    ],
)
def test_what_is_no_image_is_refused_before_anything_is_copied(image: Any, words: str) -> None:
    with pytest.raises(ImageError) as refused:
        copy_image(image)
    assert words in str(refused.value)


@pytest.mark.parametrize("image", [np.zeros((2, 2), complex), np.full((2, 2), "a"), np.full((2, 2), None)])
def test_values_that_are_no_pixels_are_refused(image: Any) -> None:
    with pytest.raises(ImageError, match="not pixels"):
        copy_image(image).png()


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="cannot read"):
        copy_image(b"\x89PNG\r\n\x1a\n and no more").png()
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(ImageError, match=r"text\.png"):
        copy_image(tmp_path / "text.png")


@pytest.mark.parametrize("missing", ["PIL", "numpy"])
def test_what_is_missing_is_said_with_the_command_that_brings_it(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImageError, match=r"pip install 'losswise\[images\]'"):
        copy_image(torch.zeros(3, 4, 5))


@pytest.mark.parametrize("as_file", [False, True])
def test_a_large_image_is_scaled_down_until_it_fits(
    as_file: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    image: Any = RANDOM.integers(0, 256, (300, 600, 3), dtype=np.uint8)
    if as_file:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG")
        image = file.getvalue()
    for module in ("losswise.values.png", "losswise.values.pixels"):
        monkeypatch.setattr(f"{module}.MAX_BLOB_BYTES", 100_000)
    for _ in range(2):
        data, width, height = copy_image(image).png()
        assert 50_000 < len(data) <= 100_000
        assert Image.open(io.BytesIO(data)).size == (width, height)
        assert abs(width / height - 2) < 0.05
    assert capsys.readouterr().err.count("scaled down") == 1


def test_matplotlib_that_another_thread_imports_just_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", types.ModuleType("matplotlib.figure"))
    with pytest.raises(ImageError, match="not an image"):
        copy_image(types.SimpleNamespace(figure=types.SimpleNamespace(figure=None)))


def test_all_that_encodes_is_imported_before_the_thread_behind_comes(tmp_path: Path) -> None:
    """A fork amid an import of that thread would leave half a module to the child, such as a data loader's worker."""
    code = """
        import sys, threading
        import losswise

        on_threads = []

        class Finder:
            def find_spec(name, path, target=None):
                if threading.current_thread() is not threading.main_thread():
                    on_threads.append(name)

        sys.meta_path.insert(0, Finder)
        import numpy, torch
        session = losswise.Session(track_git=False)
        sequence = session.image_sequence(0, "a")
        sequence.append(numpy.zeros((4, 5)), "0")
        for values in (torch.zeros(3, 4, 5), torch.zeros(4, 5, dtype=torch.bfloat16), [[0.5, 2.0]]):
            sequence.append(values, "2")
        from PIL import Image
        for mode in ("P", "LA", "I", "F", "CMYK", "1"):
            sequence.append(Image.new(mode, (4, 5)), "3")
        for name in ("GIF", "WEBP", "JPEG"):
            sequence.append(name, "4")
        session.done()
        print(sorted(on_threads))
    """
    for name in ("GIF", "WEBP", "JPEG"):
        Image.new("RGB", (4, 5)).save(tmp_path / name, name)
    words = [sys.executable, "-c", textwrap.dedent(code)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "LW_MODE": "offline", "LW_JOURNAL_DIR": str(tmp_path / "journal")}
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=tmp_path, env=environ)
    assert done.stdout.strip() == "[]"
    assert "ignored" not in done.stderr
    assert len(list((tmp_path / "journal").rglob("*.blobs/*"))) > 5


def test_nothing_of_the_kind_is_imported_before_an_image_comes() -> None:
    heavy = "{'PIL', 'numpy', 'torch', 'matplotlib'}"
    code = f"import losswise.recording.image_encoder, sys; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
