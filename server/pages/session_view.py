"""The part of a session's texts, images and diff that its page shows, so that the page stays small."""

from __future__ import annotations

from typing import Any

from ..db.json_depth import as_text

CONSOLE = "console"
MAX_TEXT_CHARS = 200_000  # the API has all
MAX_EARLIER_TEXTS = 20  # of a name, beside the latest one
MAX_STEPS = 50
MAX_STEP_IMAGES = 100
MAX_DIFF_LINES = 3_000

Texts = dict[str, list[dict[str, Any]]]
Steps = dict[int, list[dict[str, Any]]]


def visible_texts(texts: list[dict[str, Any]]) -> Texts:
    """The texts of each name, the latest first. A long text is cut at its end, the console at its beginning."""
    found: Texts = {}
    for text in texts:
        found.setdefault(text["name"], []).append(text)
    return {
        name: [_cut(text) for text in sorted(those, key=_x, reverse=True)[: MAX_EARLIER_TEXTS + 1]]
        for name, those in found.items()
    }


def visible_images(images: list[dict[str, Any]]) -> dict[str, tuple[int, Steps]]:
    """(number of steps, images of the latest steps) of each sequence. `images` are ordered by x."""
    found: dict[str, Steps] = {}
    for image in images:
        found.setdefault(image["sequence"], {}).setdefault(image["x"], []).append(image)
    return {
        name: (len(steps), {x: steps[x][:MAX_STEP_IMAGES] for x in list(steps)[-MAX_STEPS:]})
        for name, steps in found.items()
    }


def visible_diff(diff: Any) -> tuple[int, list[tuple[str, str]]]:
    """(number of lines, (kind, text) of the first ones). What is no text is shown as JSON."""
    lines = as_text(diff or "", MAX_TEXT_CHARS).splitlines()
    return len(lines), [(_kind(line), line) for line in lines[:MAX_DIFF_LINES]]


def _cut(text: dict[str, Any]) -> dict[str, Any]:
    whole = text["text"]
    part = whole[-MAX_TEXT_CHARS:] if text["name"] == CONSOLE else whole[:MAX_TEXT_CHARS]
    return {**text, "text": part, "cut": len(part) < len(whole)}


def _x(text: dict[str, Any]) -> float:
    return float("-inf") if text["x"] is None else float(text["x"])


def _kind(line: str) -> str:
    if line.startswith(("+++", "---", "diff ")):
        return "file"
    return {"+": "plus", "-": "minus", "@": "hunk"}.get(line[:1], "")
