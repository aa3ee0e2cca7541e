"""Whatever a framework calls an image, as the bytes of a PNG.

`copied` runs on the caller's thread: it copies the pixels where they are, so that they cannot change
afterwards, and never waits for an accelerator. `Copied.png` runs behind it, and may wait. Frameworks are
recognised by what they have loaded already; Pillow and NumPy are imported with the first image.
"""

from __future__ import annotations

import io
import math
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from losswise.protocol.limits import MAX_BLOB_BYTES
from losswise.values.cuda import stream_mark
from losswise.values.png import ImageError, fitting, for_png, from_array

if TYPE_CHECKING:
    from PIL.Image import Image

CHANNELS = (1, 3, 4)
"""Gray, RGB, RGBA."""
ENCODED = ("PNG", "JPEG", "GIF", "WEBP")
UNSUPPORTED_MODES = ("LAB", "La", "PA", "RGBa")
"""Modes of Pillow that only image processing uses between two steps; `convert` turns them into others."""

_ON_ACCELERATORS = {"jax", "jaxlib", "tensorflow"}
"""Their arrays never change, and reading one waits until it is computed."""


class Copied:
    """An image that nobody changes any more.

    Attributes:
        size: about how many bytes its pixels take.
    """

    def __init__(self, size: int, read: Callable[[], Image | bytes]) -> None:
        self.size = size
        self._read = read

    def png(self) -> tuple[bytes, int, int]:
        """The file's bytes, its width and its height.

        What came as a file stays what it is. Larger than the server takes: scaled down until it fits.

        Raises:
            ImageError: it is no image.
        """
        from PIL import Image

        read = self._read()
        try:
            if not isinstance(read, bytes):
                return fitting(for_png(read))
            image = Image.open(io.BytesIO(read), formats=ENCODED)
            return (read, *image.size) if len(read) <= MAX_BLOB_BYTES else fitting(for_png(image))
        except OSError as error:
            raise ImageError(f"Pillow cannot read it ({error})") from error


def copied(image: Any) -> Copied:
    """Copy an image's pixels, and nothing else.

    Args:
        image: one of
            a Pillow image, of any mode save LAB, La, PA and RGBa;
            an array or tensor, see below;
            a Matplotlib figure, or axes (their whole figure), which is drawn here;
            a PNG, JPEG, GIF or WebP, as bytes or as the path of a file.

            Shapes are (H, W), (H, W, C) and (C, H, W), C being 1, 3 or 4, with or without a batch axis of 1 in
            front. Where both ends could be C, a Torch tensor is (C, H, W), and anything else (H, W, C).

            uint8 is taken as it is, bool is black and white, uint16 is divided by 256. Other numbers are
            taken as 0 to 1 if all of them lie there, else as 0 to 255 if all lie there, else what is
            smallest becomes black and what is largest white. NaN is black.

    Raises:
        ImageError: it is none of these, or Pillow or NumPy is missing.
    """
    _import_encoders()
    if isinstance(image, (bytes, bytearray, memoryview)):
        return _of_file(bytes(image), "these bytes")
    if isinstance(image, (str, os.PathLike)):
        return _of_path(image)
    if _is_a(image, "PIL.Image", "Image"):
        return _of_pillow(image)
    if hasattr(image, "figure"):
        # of axes and of a part of a figure that is the figure around, of a figure itself
        figure = getattr(image.figure, "figure", None)
        if _is_a(figure, "matplotlib.figure", "Figure"):
            return _of_figure(figure)
    if hasattr(image, "detach") and hasattr(image, "clone"):  # torch
        return _of_tensor(image)
    return _of_array(image)


# Copying, on the caller's thread


def _import_encoders() -> None:
    """Not in the thread behind: a process that forks amid the import of a thread has a child with half a module."""
    try:
        import numpy  # noqa: F401
        from PIL import Image, WebPImagePlugin  # noqa: F401

        Image.preinit()
    except ImportError as error:
        raise ImageError(f"images need Pillow and NumPy: pip install 'losswise[images]' ({error})") from error


def _is_a(value: Any, module: str, name: str) -> bool:
    """Whether it is of this class, without an import. Another thread may be half way through that import."""
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(value, kind)


def _of_path(path: str | os.PathLike[str]) -> Copied:
    """Read now: a script that draws into the same file again and again would overwrite it."""
    if not os.path.isfile(path):  # a pipe would be waited for
        raise ImageError(f"there is no file {os.fspath(path)!r:.200}")
    try:
        with open(path, "rb") as file:
            head = file.read(12)
            return _of_file(head + file.read() if _is_encoded(head) else head, f"the file {os.fspath(path)!r:.200}")
    except OSError as error:
        raise ImageError(f"the file cannot be read ({error})") from error


def _of_file(data: bytes, words: str) -> Copied:
    if not _is_encoded(data):
        raise ImageError(f"{words} are none of {', '.join(ENCODED)}")
    return Copied(len(data), lambda: data)


def _is_encoded(data: bytes) -> bool:
    return data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8")) or (
        data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    )


def _of_pillow(image: Image) -> Copied:
    if image.mode in UNSUPPORTED_MODES:
        raise ImageError(f"Pillow images of mode {image.mode} are not supported: convert it to RGB or RGBA first")
    try:
        copy = image.copy()
    except Exception as error:  # opened, and read only now
        raise ImageError(f"Pillow cannot read it ({error})") from error
    return Copied(copy.width * copy.height * (1 if copy.mode in ("1", "L", "P") else 4), lambda: copy)


def _of_figure(figure: Any) -> Copied:
    """Drawn here, since Matplotlib is not made for two threads; by a canvas that the figure keeps nothing of."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    before, stale, callback = figure.canvas, figure.stale, figure.stale_callback
    figure.stale_callback = None  # pyplot's, which draws once more where it is interactive
    try:
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        size, pixels = canvas.get_width_height(), canvas.buffer_rgba().tobytes()
    except Exception as error:
        raise ImageError(f"Matplotlib cannot draw it ({type(error).__name__}: {error})") from error
    finally:
        figure.set_canvas(before)
        figure.stale = stale
        figure.stale_callback = callback

    def read() -> Image:
        from PIL import Image

        return Image.frombytes("RGBA", size, pixels)

    return Copied(len(pixels), read)


def _of_tensor(tensor: Any) -> Copied:
    """A copy on the tensor's own device, which only queues it there."""
    shape = tuple(tensor.shape)
    layout = _layout(shape, channels_first=True)
    copy = tensor.detach().clone()
    mark = stream_mark(copy)

    def read() -> Image:
        if mark is not None:
            mark.synchronize()
        values = copy.cpu()
        try:
            return from_array(values.numpy(), layout)
        except TypeError:  # bfloat16 and smaller floats, which NumPy has not
            return from_array(values.float().numpy(), layout)

    return Copied(_size(copy, shape), read)


def _of_array(array: Any) -> Copied:
    known = hasattr(array, "__array__") or hasattr(array, "__array_interface__") or isinstance(array, (list, tuple))
    if not known:
        raise ImageError(f"a {type(array).__name__} is no image that losswise knows")
    if hasattr(array, "shape"):
        _layout(tuple(array.shape), channels_first=False)  # before a whole data set is copied
    root = type(array).__module__.partition(".")[0]
    held = array if root in _ON_ACCELERATORS and not hasattr(array, "assign") else _read_now(array)
    shape = tuple(held.shape)
    layout = _layout(shape, channels_first=False)

    def read() -> Image:
        import numpy

        return from_array(numpy.asarray(held), layout)

    return Copied(_size(held, shape), read)


def _read_now(array: Any) -> Any:
    import numpy

    try:
        return numpy.array(array)
    except Exception as error:
        raise ImageError(f"NumPy cannot read it ({error})") from error


def _size(array: Any, shape: tuple[int, ...]) -> int:
    size = getattr(array, "nbytes", None)
    return size if isinstance(size, int) else 4 * math.prod(shape)


def _layout(shape: tuple[int, ...], channels_first: bool) -> str:
    """HW, HWC or CHW: what the last axes are. Those in front of them have length 1."""
    axes = shape
    while len(axes) > 3 and axes[0] == 1:
        axes = axes[1:]
    if 0 not in axes:
        if len(axes) == 2:
            return "HW"
        if len(axes) == 3 and axes[0] in CHANNELS and (channels_first or axes[2] not in CHANNELS):
            return "CHW"
        if len(axes) == 3 and axes[2] in CHANNELS:
            return "HWC"
    raise ImageError(f"shape {shape} is not (H, W), (H, W, C) or (C, H, W) with 1, 3 or 4 channels")
