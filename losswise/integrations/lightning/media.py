"""Convert images and texts from the forms in which Lightning's own loggers take them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from losswise.protocol.limits import MAX_TEXT_LENGTH
from losswise.util.messages import notify_once
from losswise.util.unreliable import is_a, tried
from losswise.values.containers import to_dict, to_list
from losswise.values.texts import describe


def to_images(key: str, images: Any, lists: Mapping[str, Any]) -> list[tuple[Any, str, Any, Any]]:
    """Return the arguments of `ImageSequence.append` for each image: image, id, outputs and metrics.

    Args:
        key: name of the images, for messages.
        images: a list of images, a batch with four dimensions, or a single image.
        lists: `caption`, `outputs` and `metrics`, each a list with one entry per image. Other names are ignored, with
            one message.
    """
    if not isinstance(images, (list, tuple)):
        images = list(images) if tried(getattr, images, "ndim", 0) == 4 else [images]
    unknown = sorted(lists.keys() - {"caption", "outputs", "metrics"})
    if unknown:
        notify_once(("images", tuple(unknown)), f"images {key!r}: {', '.join(unknown)} ignored")
    found = []
    for number, image in enumerate(images):
        caption, outputs, metrics = (_entry(lists.get(name), number) for name in ("caption", "outputs", "metrics"))
        if caption is not None and (outputs is None or is_a(outputs, Mapping)):
            outputs = {"caption": caption, **to_dict(outputs)}
        found.append((image, str(number), outputs, metrics))
    return found


def _entry(entries: Any, number: int) -> Any:
    if isinstance(entries, Sequence) and not isinstance(entries, str):
        return entries[number] if number < len(entries) else None
    return entries


def to_markdown(text: Any, columns: Any = None, data: Any = None, dataframe: Any = None) -> str:
    """Return a text unchanged, or a table as markdown.

    Args:
        text: the text; or the names of the columns, as in Lightning's WandbLogger.
        columns, data: names of the columns, and rows.
        dataframe: a pandas data frame, instead of columns and data.

    Example:
        >>> print(to_markdown(["input", "output"], data=[["2 + 2", 4]]))
        | input | output |
        |---|---|
        | 2 + 2 | 4 |
    """
    if dataframe is not None:
        columns, data = list(dataframe.columns), dataframe.values.tolist()
    elif columns is None and isinstance(text, (list, tuple)):
        columns, text = text, None
    if columns is None and data is None:
        return describe(text, MAX_TEXT_LENGTH)
    rows = [to_list(row) for row in to_list(() if data is None else data)]
    names = to_list(columns) if columns is not None else [""] * max((len(row) for row in rows), default=1)
    table = [_row(names), "|" + "---|" * len(names), *(_row(row) for row in rows)]
    return "\n".join([*([describe(text, MAX_TEXT_LENGTH), ""] if text is not None else []), *table])


def _row(cells: Iterable[Any]) -> str:
    return "| " + " | ".join(describe(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
