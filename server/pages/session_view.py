"""What a session's page shows of its texts, images and diff: the latest of many, a part of what is long."""

from __future__ import annotations

from typing import Any

CONSOLE = "console"
TEXT = 200_000
"""Characters of a text; the API has all."""
EARLIER = 20
"""Texts of a name beside the latest one."""
STEPS = 50
IMAGES = 100
"""Images of a step."""
LINES = 3_000
"""Lines of a diff."""

Texts = dict[str, list[dict[str, Any]]]
Steps = dict[int, list[dict[str, Any]]]


def shown_texts(texts: list[dict[str, Any]]) -> Texts:
    """The texts of each name, the latest first. Of a long one the beginning is shown, of the console the end."""
    found: Texts = {}
    for text in texts:
        found.setdefault(text["name"], []).append(text)
    return {
        name: [_shown(text) for text in sorted(those, key=_x, reverse=True)[: EARLIER + 1]]
        for name, those in found.items()
    }


def shown_images(images: list[dict[str, Any]]) -> dict[str, tuple[int, Steps]]:
    """Of each sequence, how many steps there are, and the latest of them. The images come ordered by x."""
    found: dict[str, Steps] = {}
    for image in images:
        found.setdefault(image["sequence"], {}).setdefault(image["x"], []).append(image)
    return {name: (len(steps), {x: steps[x][:IMAGES] for x in list(steps)[-STEPS:]}) for name, steps in found.items()}


def shown_diff(diff: str | None) -> tuple[int, list[tuple[str, str]]]:
    """How many lines there are, and of the first ones the kind and the text."""
    lines = (diff or "").splitlines()
    return len(lines), [(_kind(line), line) for line in lines[:LINES]]


def _shown(text: dict[str, Any]) -> dict[str, Any]:
    whole = text["text"]
    part = whole[-TEXT:] if text["name"] == CONSOLE else whole[:TEXT]
    return {**text, "text": part, "cut": len(part) < len(whole)}


def _x(text: dict[str, Any]) -> float:
    return float("-inf") if text["x"] is None else float(text["x"])


def _kind(line: str) -> str:
    if line.startswith(("+++", "---", "diff ")):
        return "file"
    return {"+": "plus", "-": "minus", "@": "place"}.get(line[:1], "")
