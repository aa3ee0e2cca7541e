"""ImageSequence: images that belong to one step of a session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from losswise.recording.image_encoder import AppendedImage, ImageEncoder, report_ignored_image
from losswise.util.guard import guarded
from losswise.util.messages import notify_once
from losswise.util.unreliable import PASSED_ON, is_a, short, type_name
from losswise.values.jsonable import snapshot_items
from losswise.values.pixels import copy_image
from losswise.values.png import ImageError
from losswise.values.scalars import detach
from losswise.values.texts import to_name


class ImageSequence:
    """Images that belong together at one x. Created by `Session.image_sequence`, not by hand.

    Attributes:
        name: name of the sequence. Sequences of the same name at other x are further steps of the same one.

    Example:
        >>> sequence = session.image_sequence(x=step, name="predictions")
        >>> sequence.append(image, "sample 7", outputs={"class": "cat"}, metrics={"loss": 0.31})
    """

    def __init__(self, encoder: ImageEncoder | None, x: Any, name: str) -> None:
        """Create a sequence; with `encoder` None it records nothing."""
        self._encoder = encoder
        self.name = to_name(name)
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

        If images come faster than they can be encoded, this waits for the encoder, with one warning. A Matplotlib
        figure is drawn before this returns, since Matplotlib draws on one thread at a time. That, and the import of
        Pillow with the first image, take tens of milliseconds.

        Args:
            image: a Pillow image; an array or tensor of shape (H, W), (H, W, C) or (C, H, W) with 1, 3 or 4
                channels (Torch: channels first, others: channels last); a Matplotlib figure; or a PNG, JPEG, GIF or
                WebP as bytes or as the path of a file. See `losswise.values.pixels.copy_image` for how numbers become
                pixels. An image of more than 8 MiB as PNG is scaled down, with one warning; what is not an image is
                ignored, with one warning.
            image_id: identifies the image within the sequence, such as the number of the sample.
            outputs: outputs of the model for this image: any JSON, by name.
            metrics: numbers that rate these outputs, by name. Anything else among them counts as an output.

        Example:
            >>> sequence.append(batch[0], "0", {"class": "cat"}, {"loss": 0.31})
        """
        if self._encoder is None:
            return
        name = to_name(image_id)
        try:
            pixels = copy_image(image)
        except ImageError as error:
            return report_ignored_image(self.name, name, str(error))
        except PASSED_ON:
            raise
        except BaseException as error:  # of the image's own methods
            return report_ignored_image(self.name, name, f"a {type_name(image)} that raises {type_name(error)}")
        given = self._mapping("outputs", outputs), self._mapping("metrics", metrics)
        self._encoder.add(AppendedImage(self.name, self._x, name, pixels, *given))

    def _mapping(self, argument: str, given: Any) -> dict[str, Any]:
        """Return a copy of `outputs` or `metrics`; empty, with one warning, if it is not a mapping."""
        if given is None or is_a(given, Mapping):
            return {} if given is None else snapshot_items(given)
        problem = f"{argument} takes a dictionary, not {short(given)}"
        notify_once(("image", argument, self.name), f"images {self.name!r}: {problem}; ignored")
        return {}

    def __repr__(self) -> str:
        return f"<losswise.ImageSequence {self.name!r}>"


DISCONNECTED = ImageSequence(None, 0, "")  # records nothing: what `Session.image_sequence` returns if it fails
