"""Copy the pixels of any framework's images.

`copy_image` runs on the caller's thread: it copies the pixels on the device where they are, so that they cannot change
afterwards, and never waits for an accelerator. `ImageCopy.png` runs on the encoder's thread and may wait. An object is
recognised by the modules that are loaded already; Pillow and NumPy are imported with the first image.
"""

from __future__ import annotations

import io
import math
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from losswise.protocol.limits import MAX_BLOB_BYTES
from losswise.values.cuda import record_event
from losswise.values.png import ImageError, encode_to_fit, for_png, from_array

if TYPE_CHECKING:
    from PIL.Image import Image

CHANNELS = (1, 3, 4)  # gray, RGB, RGBA
FILE_FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
# Modes of Pillow that are intermediate results of image processing rather than images to show
UNSUPPORTED_MODES = ("LAB", "La", "PA", "RGBa")

# Packages whose arrays are immutable: they need no copy, and reading one waits until it is computed
_IMMUTABLE_ARRAYS = {"jax", "jaxlib", "tensorflow"}


class ImageCopy:
    """An image that can no longer change, not encoded yet."""

    def __init__(self, size: int, read: Callable[[], Image | bytes]) -> None:
        self.size = size  # about the bytes of its pixels, for the bound on memory
        self._read = read  # returns the Pillow image, or the bytes of a file; called on the encoder's thread

    def png(self) -> tuple[bytes, int, int]:
        """Return the bytes of the file, its width and its height in pixels.

        A file is returned unchanged, in its own format. An image of more than `MAX_BLOB_BYTES` is scaled down.

        Raises:
            ImageError: it is not an image.
        """
        from PIL import Image

        read = self._read()
        try:
            if not isinstance(read, bytes):
                return encode_to_fit(for_png(read))
            image = Image.open(io.BytesIO(read), formats=FILE_FORMATS)
            return (read, *image.size) if len(read) <= MAX_BLOB_BYTES else encode_to_fit(for_png(image))
        except OSError as error:
            raise ImageError(f"Pillow cannot read it ({error})") from error


def copy_image(image: Any) -> ImageCopy:
    """Copy the pixels of an image, without encoding them.

    Args:
        image: one of
            a Pillow image, of any mode except LAB, La, PA and RGBa;
            an array or tensor, see below;
            a Matplotlib figure, or axes (meaning their whole figure), which is drawn now;
            a PNG, JPEG, GIF or WebP file, as bytes or as a path.

            Shapes are (H, W), (H, W, C) and (C, H, W) with C = 1, 3 or 4, optionally with batch axes of length 1 in
            front. If both ends could be C, a Torch tensor is (C, H, W) and any other array (H, W, C).

            uint8 is used unchanged, bool is black and white, uint16 is divided by 256. Other numbers are taken as 0
            to 1 if all of them are in that range, else as 0 to 255 if all are in that one; otherwise the smallest
            becomes black and the largest white. NaN is black.

    Raises:
        ImageError: it is none of these, or Pillow or NumPy is not installed.
    """
    # Not on the encoder's thread: a process that forks while another thread imports a module, such as the workers of
    # a data loader, leaves the child with half of that module, and its import lock held
    try:
        import numpy  # noqa: F401
        from PIL import Image, WebPImagePlugin  # noqa: F401

        Image.preinit()
    except ImportError as error:
        raise ImageError(f"images need Pillow and NumPy: pip install 'losswise[images]' ({error})") from error
    if isinstance(image, (bytes, bytearray, memoryview)):
        return _of_file(bytes(image), "these bytes")
    if isinstance(image, (str, os.PathLike)):
        return _of_path(image)
    if _is_a(image, "PIL.Image", "Image"):
        return _of_pillow(image)
    if hasattr(image, "figure"):
        # `figure` of axes or a subfigure is the figure around them, of a figure it is the figure itself
        figure = getattr(image.figure, "figure", None)
        if _is_a(figure, "matplotlib.figure", "Figure"):
            return _of_figure(figure)
    if hasattr(image, "detach") and hasattr(image, "clone"):  # torch
        return _of_tensor(image)
    return _of_array(image)


def _is_a(value: Any, module: str, name: str) -> bool:
    """Return whether `value` is an instance of a class whose module may not be loaded, or not completely so."""
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(value, kind)


def _of_path(path: str | os.PathLike[str]) -> ImageCopy:
    # Read at once: the script may overwrite the file with its next image
    if not os.path.isfile(path):  # reading from a pipe could block
        raise ImageError(f"there is no file {os.fspath(path)!r:.200}")
    try:
        with open(path, "rb") as file:
            head = file.read(12)
            return _of_file(head + file.read() if _is_encoded(head) else head, f"the file {os.fspath(path)!r:.200}")
    except OSError as error:
        raise ImageError(f"the file cannot be read ({error})") from error


def _of_file(data: bytes, what: str) -> ImageCopy:
    if not _is_encoded(data):
        raise ImageError(f"{what} are none of {', '.join(FILE_FORMATS)}")
    return ImageCopy(len(data), lambda: data)


def _is_encoded(data: bytes) -> bool:
    return data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8")) or (
        data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    )


def _of_pillow(image: Image) -> ImageCopy:
    if image.mode in UNSUPPORTED_MODES:
        raise ImageError(f"Pillow images of mode {image.mode} are not supported: convert it to RGB or RGBA first")
    try:
        copy = image.copy()
    except Exception as error:  # Image.open reads the file only now
        raise ImageError(f"Pillow cannot read it ({error})") from error
    return ImageCopy(copy.width * copy.height * (1 if copy.mode in ("1", "L", "P") else 4), lambda: copy)


def _of_figure(figure: Any) -> ImageCopy:
    # On this thread, since Matplotlib is not thread-safe; with a canvas of our own, since the figure has one already
    import numpy
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    before, stale, callback = figure.canvas, figure.stale, figure.stale_callback
    figure.stale_callback = None  # in interactive mode pyplot's would draw the figure again
    try:
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        pixels = numpy.array(canvas.buffer_rgba())
    except Exception as error:
        raise ImageError(f"Matplotlib cannot draw it ({type(error).__name__}: {error})") from error
    finally:
        figure.set_canvas(before)
        figure.stale = stale
        figure.stale_callback = callback
    return ImageCopy(pixels.nbytes, lambda: from_array(pixels, "HWC"))


def _of_tensor(tensor: Any) -> ImageCopy:
    """Copy a Torch tensor on its own device, which only queues the copy there."""
    shape = tuple(tensor.shape)
    layout = _layout(shape, channels_first=True)
    copy = tensor.detach().clone()
    event = record_event(copy)

    def read() -> Image:
        if event is not None:
            event.synchronize()
        values = copy.cpu()
        try:
            return from_array(values.numpy(), layout)
        except TypeError:  # bfloat16 and smaller floats, which NumPy lacks
            return from_array(values.float().numpy(), layout)

    return ImageCopy(_size(copy, shape), read)


def _of_array(array: Any) -> ImageCopy:
    import numpy

    if not (isinstance(array, (list, tuple)) or hasattr(array, "__array__") or hasattr(array, "__array_interface__")):
        raise ImageError(f"a {type(array).__name__} is not an image that losswise can read")
    if hasattr(array, "shape"):
        _layout(tuple(array.shape), channels_first=False)  # raises before a whole data set is copied
    root = type(array).__module__.partition(".")[0]
    held = array
    if root not in _IMMUTABLE_ARRAYS or hasattr(array, "assign"):
        try:
            held = numpy.array(array)
        except Exception as error:
            raise ImageError(f"NumPy cannot read it ({error})") from error
    shape = tuple(held.shape)
    layout = _layout(shape, channels_first=False)
    return ImageCopy(_size(held, shape), lambda: from_array(numpy.asarray(held), layout))


def _size(array: Any, shape: tuple[int, ...]) -> int:
    size = getattr(array, "nbytes", None)
    return size if isinstance(size, int) else 4 * math.prod(shape)


def _layout(shape: tuple[int, ...], channels_first: bool) -> str:
    """Return what the last two or three axes are: HW, HWC or CHW. The axes in front of them have length 1."""
    axes = shape
    while len(axes) > 3 and axes[0] == 1:
        axes = axes[1:]
    if len(axes) == 2 and 0 not in axes:
        return "HW"
    if len(axes) == 3 and 0 not in axes:
        if axes[0] in CHANNELS and (channels_first or axes[2] not in CHANNELS):
            return "CHW"
        if axes[2] in CHANNELS:
            return "HWC"
    raise ImageError(f"shape {shape} is not (H, W), (H, W, C) or (C, H, W) with 1, 3 or 4 channels")
