"""Template filters: numbers, durations and JSON as short text, markdown as HTML."""

from __future__ import annotations

import json
import math
from datetime import datetime, timezone
from typing import Any

from flask import Flask
from markdown_it import MarkdownIt
from markupsafe import Markup

from ..db.json_depth import int64_or_float

MAX_MARKDOWN_CHARS = 60_000
MAX_TABLE_CELLS = 20_000

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
_SPECIAL = {"Infinity": "∞", "-Infinity": "\N{MINUS SIGN}∞"}
_NOTHING = "\N{EN DASH}"
# No raw HTML: the text comes from a training script, and other users see it.
_markdown = MarkdownIt("commonmark", {"html": False}).enable("table")


def _cell(self: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    """A table cell with its alignment as a class: the Content-Security-Policy forbids inline styles."""
    style = tokens[index].attrs.pop("style", "")
    if "right" in style:
        tokens[index].attrSet("class", "n")
    return str(self.renderToken(tokens, index, options, env))


for _rule in ("th_open", "td_open"):
    _markdown.add_render_rule(_rule, _cell)


def init_app(app: Flask) -> None:
    app.add_template_filter(number)
    app.add_template_filter(duration)
    app.add_template_filter(utc_time)
    app.add_template_filter(anything)
    app.add_template_filter(markdown)


def number(value: Any) -> str:
    """A measured value in six digits: 0.0871, 12.34, 3.1e-05, NaN, ∞; a dash for None. Others as `anything` does.

    >>> number(0.087123456), number(18940), number("Infinity")
    ('0.0871235', '18,940', '∞')
    """
    if type(value) is int:
        value = int64_or_float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return anything(value)
    if math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.6g}"


def duration(seconds: float | None) -> str:
    """A duration in up to two units, as `duration` in format.js writes it.

    >>> duration(7.4), duration(250), duration(725), duration(3700), duration(90_000)
    ('7s', '4m 10s', '12m', '1h 1m', '1d 1h')
    """
    if seconds is None:
        return _NOTHING
    left = max(0, round(seconds))
    if left < MINUTE_S:
        return f"{left}s"
    if left < HOUR_S:
        return f"{left // MINUTE_S}m" + (f" {left % MINUTE_S}s" if left < 10 * MINUTE_S else "")
    if left < DAY_S:
        return f"{left // HOUR_S}h {left % HOUR_S // MINUTE_S}m"
    return f"{left // DAY_S}d {left % DAY_S // HOUR_S}h"


def utc_time(seconds: float, style: str = "%Y-%m-%d %H:%M UTC") -> str:
    """A time in UTC, for whoever reads a page without scripts: these show it in the reader's time zone.

    >>> utc_time(0)
    '1970-01-01 00:00 UTC'
    """
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).strftime(style)
    except (ValueError, OverflowError, OSError):
        return _NOTHING  # a clock may say anything


def anything(value: Any) -> str:
    """A param or value of any JSON type, as text.

    >>> anything(0.001), anything("adam"), anything(True), anything({"a": 1})
    ('0.001', 'adam', 'true', '{"a": 1}')
    """
    if isinstance(value, str):
        return _SPECIAL.get(value, value)
    return _NOTHING if value is None else json.dumps(value, ensure_ascii=False)


def markdown(text: Any) -> Markup:
    """Render markdown (CommonMark with tables); HTML in it is escaped. What is no text is shown as JSON.

    A text that would take too long is shown as it is: below a table's head of a thousand columns, each short line makes
    a thousand cells.
    """
    text = anything(text)
    lines = text.count("\n") + 1
    widest = max((line.count("|") for line in text.splitlines()), default=0)
    if len(text) > MAX_MARKDOWN_CHARS or lines * widest > MAX_TABLE_CELLS:
        return Markup("<pre>{}</pre>").format(text)
    return Markup(_markdown.render(text))
