"""ImageSequence: images that belong to one step of a session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from losswise.recording.image_encoder import AppendedImage, ImageEncoder, report_ignored_image
from losswise.util.guard import guarded
from losswise.util.messages import say_once
from losswise.values.errors import try_text
from losswise.values.jsonable import snapshot, to_name
from losswise.values.pixels import copy_image
from losswise.values.png import ImageError
from losswise.values.scalars import detach


class ImageSequence:
    """Images that belong together at one x. Made by `Session.image_sequence`, not by hand.

    Attributes:
        name: what the sequence is called; the same name at other x is the same sequence, over time.

    Example:
        >>> sequence = session.image_sequence(x=step, name="predictions")
        >>> sequence.append(image, "sample 7", outputs={"class": "cat"}, metrics={"loss": 0.31})
    """

    def __init__(self, images: ImageEncoder | None, x: Any, name: str) -> None:
        self._images = images
        self.name = try_text(to_name, name, "")
        self._x = detach(x)

    @guarded("adding an image")
    def append(
        self,
        image: Any,
        image_id: str,
        outputs: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
    ) -> None:
        """Add an image. Copies its pixels, never waits for the network or an accelerator, and never raises.

        Where images come faster than they can be encoded it waits for that, with one warning. A Matplotlib
        figure is drawn before this returns, since Matplotlib draws on one thread at a time; that, and the
        import of Pillow with the first image, take tens of milliseconds.

        Args:
            image: a Pillow image; an array or tensor of shape (H, W), (H, W, C) or (C, H, W) with 1, 3 or 4
                channels (Torch's are channels first, others channels last); a Matplotlib figure; or a PNG,
                JPEG, GIF or WebP as bytes or as the path of a file. See `losswise.values.pixels.copy_image` for how
                numbers become pixels. What is larger than 8 MiB as PNG is scaled down, with one warning;
                what is no image is skipped, with one warning.
            image_id: what tells this image from the sequence's others, such as the sample's number.
            outputs: what the model said, any JSON by name.
            metrics: how good that is, numbers by name.

        Example:
            >>> sequence.append(batch[0], "0", {"class": "cat"}, {"loss": 0.31})
        """
        if self._images is None:
            return
        told = ""
        try:
            told = to_name(image_id)
            shown = AppendedImage(
                self.name,
                self._x,
                told,
                copy_image(image),
                self._mapping("outputs", outputs),
                self._mapping("metrics", metrics),
            )
            self._images.add(shown)
        except ImageError as error:
            report_ignored_image(self.name, told, error)

    def _mapping(self, what: str, given: Any) -> dict[str, Any]:
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            say_once(
                ("image", what, self.name),
                f"images {self.name!r}: {what} takes a dictionary, not {given!r:.60}; left out",
            )
            return {}
        taken: dict[str, Any] = snapshot(given)
        return taken

    def __repr__(self) -> str:
        return f"<losswise.ImageSequence {self.name!r}>"
