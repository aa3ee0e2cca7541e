"""The chart of a notebook's output, in pages as notebooks make them."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Page

from losswise.notebook.curves import CurveStore
from losswise.notebook.html import render
from losswise.notebook.view import GraphView, SessionView
from losswise.recording.point_buffer import PointBatch

THEMES = {"light": ("#fff", "rgba(0, 0, 0, 0.87)"), "dark": ("#111", "rgba(255, 255, 255, 0.87)")}
PAGE = """<!doctype html><body style="margin:10px;background:{}"><div style="color:{}">{}</div>"""
CONTRASTS = """() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const background = getComputedStyle(document.body).backgroundColor;
  const light = ([r, g, b]) => [[r, 0.2126], [g, 0.7152], [b, 0.0722]].reduce((sum, [part, weight]) => {
    const value = part / 255;
    return sum + weight * (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  }, 0);
  const seen = (color, opacity) => {
    canvas.globalAlpha = 1;
    canvas.fillStyle = background;
    canvas.fillRect(0, 0, 1, 1);
    canvas.globalAlpha = opacity;
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return light(canvas.getImageData(0, 0, 1, 1).data);
  };
  const found = [];
  const walk = (element, opacity) => {
    const style = getComputedStyle(element);
    opacity *= Number(style.opacity);
    const isText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (isText && element.tagName !== 'STYLE' && element.tagName !== 'A') {
      const [one, other] = [seen(style.color, opacity), seen(background, 1)];
      found.push([(Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05), element.textContent]);
    }
    for (const child of element.children) walk(child, opacity);
  };
  walk(document.querySelector('.losswise'), 1);
  return found;
}"""


def drawn(graphs: dict[str, dict[str, list[float]]], **fields: Any) -> str:
    """The HTML of a session with these curves."""
    store = CurveStore()
    for title, curves in graphs.items():
        for name, values in curves.items():
            store.add(title, PointBatch(range(len(values)), range(len(values)), [], {name: values}))
    known: dict[str, Any] = {
        "name": "a tag",
        "url": "http://127.0.0.1/s/ab12",
        "status": "active",
        "is_recorded": True,
        "is_online": True,
        "is_live": True,
        "graphs": [GraphView(title, "min") for title in graphs],
        "curves": store,
        "last_x": 99,
        "max_iter": 200,
    }
    return render(SessionView(**{**known, **fields}))


LONG = "a very long name of something that somebody joined of all there is " * 2
MANY = {
    "loss": {"train_loss": [1 / (x + 1) for x in range(100)], "val_loss": [math.nan, *([0.5] * 99)]},
    LONG: {f"{LONG}/{number}": [1e9 * number, -1e-9] for number in range(12)},
    **{f"graph {number}": {f"layer_{place:02}.weight.norm": [1.0] for place in range(3)} for number in range(5)},
}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", [320, pytest.param(390, marks=pytest.mark.full), 1000])
@pytest.mark.parametrize("graphs", [{}, pytest.param({"loss": MANY["loss"]}, marks=pytest.mark.full), MANY])
def test_it_fits_and_can_be_read_on_any_background(
    new_page: Callable[..., Page], graphs: dict[str, dict[str, list[float]]], width: int, theme: str
) -> None:
    page = new_page(viewport={"width": width, "height": 600}, color_scheme="dark" if theme == "light" else "light")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for status in ("active", "complete", "failed", "cancelled"):
        page.set_content(PAGE.format(*THEMES[theme], drawn(graphs, name=LONG, status=status)))
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        wide = "[...document.querySelectorAll('.lw-card *')].filter((one) => one.getBoundingClientRect().right > "
        assert page.evaluate(f"{wide} one.closest('.lw-card').getBoundingClientRect().right).length") == 0
        poor = [found for found in page.evaluate(CONTRASTS) if found[0] < 4.5]
        assert poor == []
    assert asked == []


def test_names_that_differ_in_their_middle_can_be_told_apart(new_page: Callable[..., Page]) -> None:
    page = new_page(viewport={"width": 1000, "height": 600})
    page.set_content(PAGE.format(*THEMES["light"], drawn(MANY)))
    for text in ("layer_00", "layer_01", "layer_02"):
        kept = page.get_by_text(text, exact=True)
        assert kept.count() == 4
        assert kept.first.evaluate("one => one.scrollWidth <= one.offsetWidth + 1")


def test_a_curve_is_where_its_values_are(new_page: Callable[..., Page]) -> None:
    page = new_page(viewport={"width": 1000, "height": 600})
    page.set_content(PAGE.format(*THEMES["light"], drawn({"loss": {"a": [float(x) for x in range(101)]}})))
    points = page.evaluate("""() => {
      const line = document.querySelector('.lw-plot path:nth-of-type(2)');
      const length = line.getTotalLength();
      return [0, 0.25, 0.5, 0.75, 1].map((part) => line.getPointAtLength(part * length)).map(({ x, y }) => [x, y]);
    }""")
    assert points[0] == pytest.approx([0, 400], abs=1)
    assert points[-1] == pytest.approx([600, 400 - 400 / 1.04], abs=1)
    for (x0, y0), (x1, y1) in pairwise(points):
        assert x1 - x0 == pytest.approx(150, abs=2)
        assert y1 - y0 == pytest.approx(-100 / 1.04, abs=2)
