"""A graph as a card of HTML with a small SVG chart: no script, nothing loaded, every text escaped.

Text and lines take the colour of the text around them, and the colours with a meaning are mixed with it, so that
a card fits the light and the dark theme of whatever shows it. The text is HTML, since the SVG is stretched.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Mapping, Sequence

from losswise.sketch import Curve, Place

WIDTH, HEIGHT = 600, 200
"""The SVG's own units, about half a pixel each."""
PAIRS = 360
"""Coordinates in one chart: what keeps it at about 3 kB."""
MAX_LETTERS = 30

COLORS = "#4269d0 #efb118 #ff725c #3ca951 #a463f2 #6cc5b0 #ff8ab7 #9c6b4e #97bbf5 #9498a0".split()
_HELD_OUT = re.compile(r"(^|[^a-z])(val|valid|validation|test|eval|dev|holdout)([^a-z]|$)")
_CAMEL = re.compile(r"([a-z])([A-Z])")

STYLE = (
    """
.losswise{max-width:1080px;font:13px/1.45 system-ui,-apple-system,"Segoe UI",sans-serif;
font-variant-numeric:tabular-nums;color:var(--jp-content-font-color1,var(--vscode-foreground,inherit))}
.losswise *{box-sizing:border-box}
.lw-good{color:#2b8a3e;color:color-mix(in srgb,#2f9e44 62%,currentColor)}
.lw-warn{color:#b36b00;color:color-mix(in srgb,#e67700 62%,currentColor)}
.lw-bad{color:#d63131;color:color-mix(in srgb,#f03e3e 72%,currentColor)}
.lw-dim{opacity:.72}
.lw-head,.lw-top{display:flex;flex-wrap:wrap;align-items:baseline;gap:0 12px;min-width:0}
.lw-head{margin:4px 0 10px}
.lw-head a{font-weight:600;overflow-wrap:anywhere}
.lw-state{white-space:nowrap}
.lw-state::before{content:"";display:inline-block;width:8px;height:8px;margin-right:6px;border-radius:50%;
background:currentColor}
.lw-track{flex:0 1 120px;align-self:center;height:5px;overflow:hidden;border-radius:3px;background:#8884}
.lw-track i{display:block;height:100%;border-radius:3px;background:#4c6ef5}
.lw-grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(290px,100%),1fr));gap:12px}
.lw-card{min-width:0;padding:9px 12px 10px;border:1px solid #8884;border-radius:8px}
.lw-top{flex-wrap:nowrap;gap:8px;white-space:nowrap;font-size:12px}
.lw-top b{font-size:13px}
.lw-top :not(.lw-bad){flex:0 1 auto;overflow:hidden;text-overflow:ellipsis}
.lw-top .lw-bad{margin-left:auto}
.lw-plot{position:relative;height:112px;margin:12px 0 0 44px}
.lw-plot svg{display:block;width:100%;height:100%;overflow:visible}
.lw-plot path{fill:none;stroke:currentColor;stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round;
vector-effect:non-scaling-stroke}
.lw-plot path.lw-rule{stroke:#888;stroke-opacity:.28;stroke-width:1}
.lw-plot path.lw-band{fill:currentColor;stroke:none;opacity:.22}
.lw-plot path.lw-held{stroke-dasharray:5 3;stroke-linecap:butt}
.lw-plot path.lw-spot{stroke-width:6}
.lw-plot i{position:absolute;font-style:normal;font-size:11px;line-height:1}
.lw-plot i.lw-y{right:100%;margin:-5px 7px 0 0;opacity:.72}
.lw-plot i.lw-nan{top:-9px;width:8px;margin-left:-4px;border:4px solid transparent;border-top:0;
border-bottom:7px solid currentColor}
.lw-x{display:flex;justify-content:space-between;gap:12px;margin:5px 0 8px 44px;font-size:11px;line-height:1.2;
opacity:.72}
.lw-keys{display:grid;grid-template-columns:18px minmax(0,1fr) repeat(3,auto);gap:1px 10px;font-size:12px}
.lw-keys>*{text-align:right;white-space:nowrap;font-weight:400}
.lw-keys b{font-weight:600}
.lw-keys .lw-name{overflow:hidden;text-align:left;text-overflow:ellipsis}
.lw-keys i{align-self:center;border-top:2.5px solid}
.lw-keys i.lw-held{border-top-style:dashed}
""".replace("\n", "")
    + "".join(f".lw{place}{{color:{color}}}" for place, color in enumerate(COLORS))
)


def number(value: float | None) -> str:
    """A measured value, as on the pages: 0.0871, 12.34, 3.10e-5, NaN."""
    if value is None:
        return "–"
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
    size = abs(value)
    if size >= 1e9 or 0 < size < 1e-3:
        return re.sub(r"e([+-])0*", lambda sign: "e" + sign[1].strip("+"), f"{value:.2e}")
    if size >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.{1 if size >= 100 else 2 if size >= 10 else 3 if size >= 1 else 4}f}"


def short(text: str, most: int = MAX_LETTERS) -> str:
    """Escaped; a long one with its middle cut out and the whole of it on hover."""
    if len(text) <= most:
        return html.escape(text)
    tail = int((most - 1) * 0.4)
    cut = text[: most - 1 - tail] + "…" + text[-tail:]
    return f'<span title="{html.escape(text[:300])}">{html.escape(cut)}</span>'


def is_held_out(name: str) -> bool:
    """Whether a quantity is of data that was not trained on: it is dashed, and a graph's best is among these."""
    return _HELD_OUT.search(_CAMEL.sub(r"\1_\2", name).replace("_", " ").lower()) is not None


def card(title: str, kind: str | None, curves: Mapping[str, Curve], is_live: bool) -> str:
    """A graph: title, kind and best value, what was not finite, the chart, and the values of each curve."""
    places = {name: curve.places() for name, curve in curves.items()}
    best = _best(kind, places)
    facts = f'{kind}{f" · best <b>{number(best)}</b>" if best is not None else ""}' if kind else ""
    top = f"<b>{short(title or 'untitled')}</b><span class=lw-dim>{facts}</span>{_broken(curves.values())}"
    body = _chart(title, curves, places, is_live) if curves else "<p class=lw-dim>no points yet</p>"
    return f"<div class=lw-card><div class=lw-top>{top}</div>{body}</div>"


def _best(kind: str | None, places: Mapping[str, list[Place]]) -> float | None:
    among = {name: there for name, there in places.items() if there}
    held_out = {name: there for name, there in among.items() if is_held_out(name)}
    chosen = [place for there in (held_out or among).values() for place in there]
    if not chosen or kind is None:
        return None
    return min(place.low for place in chosen) if kind == "min" else max(place.high for place in chosen)


def _broken(curves: Iterable[Curve]) -> str:
    first = min((curve for curve in curves if curve.bad_x is not None), key=lambda curve: curve.bad_x or 0, default=None)
    return "" if first is None else f"<span class=lw-bad>{number(first.bad)} at {first.bad_x:,}</span>"


def _chart(title: str, curves: Mapping[str, Curve], places: Mapping[str, list[Place]], is_live: bool) -> str:
    xs = [place.x for there in places.values() for place in there]
    for curve in curves.values():
        xs += [float(x) for x in (curve.bad_x, curve.last_x) if x is not None]
    left, right = min(xs), max(xs)
    frame = Frame(left, right, *_y_range([place for there in places.values() for place in there]))
    lines = "".join(
        frame.line(at % len(COLORS), name, places[name], curve, len(curves), is_live)
        for at, (name, curve) in enumerate(curves.items())
    )
    marks = "".join(
        f'<i class="lw-nan lw-bad" style="left:{frame.across(curve.bad_x) / WIDTH:.1%}"></i>'
        for curve in curves.values()
        if curve.bad_x is not None
    )
    ends = f"{left:,.0f}", f"{right:,.0f}"
    x = f"<span>{ends[0]}</span><span>{ends[1]}</span>" if left < right else f"<span></span><span>{ends[0]}</span>"
    return (
        f'<div class=lw-plot><svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio=none role=img '
        f'aria-label="{html.escape(title[:60])}, x from {ends[0]} to {ends[1]}">'
        f"{frame.rules()}{lines}</svg>{frame.labels()}{marks}</div>"
        f"<div class=lw-x>{x}</div>{_keys(curves, places)}"
    )


def _keys(curves: Mapping[str, Curve], places: Mapping[str, list[Place]]) -> str:
    rows = ["<i></i><span></span>" + "".join(f"<span class=lw-dim>{word}</span>" for word in ("last", "min", "max"))]
    for at, (name, curve) in enumerate(curves.items()):
        there = places[name]
        low = min((place.low for place in there), default=None)
        high = max((place.high for place in there), default=None)
        held = " lw-held" if is_held_out(name) else ""
        bad = " class=lw-bad" if curve.last is not None and not math.isfinite(curve.last) else ""
        rows.append(
            f'<i class="lw{at % len(COLORS)}{held}"></i><span class=lw-name>{short(name)}</span>'
            f"<b{bad}>{number(curve.last)}</b><span>{number(low)}</span><span>{number(high)}</span>"
        )
    return f"<div class=lw-keys>{''.join(rows)}</div>"


def _y_range(places: Sequence[Place]) -> tuple[float, float]:
    """What holds all values with a little air, and zero where it is near."""
    low = min((place.low for place in places), default=0.0)
    high = max((place.high for place in places), default=1.0)
    if low == high:
        air = abs(low) * 0.1 or 0.5
        return low - air, high + air
    air = high * 0.04 - low * 0.04  # not of their difference, which may be beyond a float
    return (0.0 if 0 <= low < high * 0.3 else low - air), high + air


class Frame:
    """Where a value stands in the SVG."""

    def __init__(self, left: float, right: float, low: float, high: float) -> None:
        self._left, self._x_scale = left, WIDTH / ((right - left) or 1.0)
        self._low, self._high = max(low, -1e308), min(high, 1e308)
        self._is_point = left == right

    def across(self, x: float | None) -> float:
        return WIDTH / 2 if self._is_point else ((x or 0.0) - self._left) * self._x_scale

    def down(self, y: float) -> float:
        part = (y / 2 - self._low / 2) / (self._high / 2 - self._low / 2)
        return HEIGHT * (1 - max(0.0, min(1.0, part)))

    def line(self, color: int, name: str, places: list[Place], curve: Curve, curves: int, is_live: bool) -> str:
        """A curve's paths: the means over a pale band from min to max, and where it is now."""
        if not places:
            return ""
        band = thinned(places, max(12, PAIRS // (4 * curves)))
        points = [(place.x, _middle(place)) for place in thinned(places, max(24, PAIRS // (2 * curves)))]
        if curve.last is not None and curve.last_x is not None and math.isfinite(curve.last):
            if curve.last_x >= points[-1][0]:
                points.append((curve.last_x, curve.last))
        held = " lw-held" if is_held_out(name) else ""
        paths = ""
        if any(place.low < place.high for place in band):
            upper = [(place.x, place.high) for place in band]
            lower = [(place.x, place.low) for place in reversed(band)]
            paths += f'<path class="lw{color} lw-band" d="{self._path(upper + lower)}Z"/>'
        paths += f'<path class="lw{color}{held}" d="{self._path(points)}"/>'
        if is_live or len(set(points)) == 1:
            paths += f'<path class="lw{color} lw-spot" d="{self._path(points[-1:])}h0"/>'
        return paths

    def _path(self, points: Sequence[tuple[float, float]]) -> str:
        """Whole numbers, each relative to the one before."""
        spots = [(round(self.across(x)), round(self.down(y))) for x, y in points]
        path = f"M{spots[0][0]} {spots[0][1]}"
        steps = []
        for (x0, y0), (x1, y1) in zip(spots, spots[1:], strict=False):
            if (x0, y0) != (x1, y1):
                steps.append(f"{x1 - x0}{'' if y1 < y0 else ' '}{y1 - y0}")
        text = ""
        for step in steps:
            text += step if not text or step[0] == "-" else f" {step}"
        return f"{path}l{text}" if steps else path

    def _ticks(self) -> list[float]:
        """Two to five round values within the range."""
        span = self._high / 4 - self._low / 4
        size = 10.0 ** math.floor(math.log10(span)) if span > 0 else 1.0
        step = next((size * digit for digit in (1, 2, 2.5, 5, 10) if size * digit >= span), span)
        first = math.ceil(self._low / step)
        last = math.floor(self._high / step)
        return [place * step for place in range(first, min(last, first + 8) + 1)]

    def rules(self) -> str:
        lines = "".join(f"M0 {round(self.down(y))}h{WIDTH}" for y in self._ticks())
        return f'<path class=lw-rule d="{lines}"/>' if lines else ""

    def labels(self) -> str:
        ticks = self._ticks()
        texts = _tick_texts(ticks)
        return "".join(
            f"<i class=lw-y style=top:{self.down(y) / HEIGHT:.0%}>{text}</i>" for y, text in zip(ticks, texts, strict=True)
        )


def _tick_texts(ticks: Sequence[float]) -> list[str]:
    """Labels with as many digits as tell them apart, all with the same number of them."""
    size = max(map(abs, ticks), default=0.0)
    for digits in range(7):
        texts = [f"{y:.{digits}e}" if size >= 1e5 or size < 1e-3 else f"{y:,.{digits}f}" for y in ticks]
        exact = all(abs(float(text.replace(",", "")) - y) <= size * 1e-9 for text, y in zip(texts, ticks, strict=True))
        if exact or digits == 6:
            break
    return ["0" if y == 0 else re.sub(r"e([+-])0*", lambda s: "e" + s[1].strip("+"), text) for y, text in zip(ticks, texts, strict=True)]


def _middle(place: Place) -> float:
    return place.mean if math.isfinite(place.mean) else place.low / 2 + place.high / 2


def thinned(places: list[Place], most: int) -> list[Place]:
    """Neighbours as one place, so that at most so many are left."""
    run = math.ceil(len(places) / most)
    if run <= 1:
        return places
    parts = [places[at : at + run] for at in range(0, len(places), run)]
    return [
        Place(
            part[0].x,
            min(place.low for place in part),
            max(place.high for place in part),
            sum(place.mean for place in part) / len(part),
        )
        for part in parts
    ]
