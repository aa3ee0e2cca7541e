"""Draw curves as paths of an SVG, a few bytes a point, and label their axis."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

from losswise.notebook.curves import Bucket, Curve

# in units of the SVG, each smaller than a pixel
WIDTH, HEIGHT = 600, 400
# coordinates in a chart, which keep it at about 3 kB
MAX_COORDINATES = 440
# with more curves than these, no curve has a band
MAX_BANDS = 6
COLORS = (
    *("#4269d0", "#efb118", "#ff725c", "#3ca951", "#a463f2"),
    *("#6cc5b0", "#ff8ab7", "#9c6b4e", "#97bbf5", "#9498a0"),
)

# near the largest float, so that the ends of an axis are finite
MAX_Y = 1.79e308

Point = tuple[float, float]


def number(value: float | None) -> str:
    """Format a value as the web pages do: 0.0871, 12.34, 3.10e-5, NaN; an en dash for None."""
    if value is None:
        return "\N{EN DASH}"
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "\N{MINUS SIGN}∞"
    size = abs(value)
    if size >= 1e9 or 0 < size < 1e-3:
        return _exponent(f"{value:.2e}")
    if size >= 1000 or value == int(value):
        return f"{value + 0.0:,.0f}"  # no -0
    return f"{value:.{1 if size >= 100 else 2 if size >= 10 else 3 if size >= 1 else 4}f}"


def _exponent(text: str) -> str:
    """Shorten an exponent: 3e-05 to 3e-5, 3e+10 to 3e10."""
    return re.sub(r"e([+-])0*", lambda match: "e" + match[1].strip("+"), text)


class Drawing:
    """The coordinate system of a chart, and the paths drawn in it.

    Args:
        left, right: the ends of the x axis.
        buckets: of all curves; the y axis spans them.
    """

    BOX = f"0 0 {WIDTH} {HEIGHT}"

    def __init__(self, left: float, right: float, buckets: Sequence[Bucket]) -> None:
        self._left = left
        self._x_scale = WIDTH / (right - left) if right > left else 0.0
        self._low, self._high = _y_range(buckets)
        self._span = self._high / 2 - self._low / 2 or 1.0
        self._ticks = _ticks(self._low, self._high) if buckets else []

    def x_fraction(self, x: float) -> float:
        """Return where an x is, from 0 at the left to 1 at the right; the only x is in the middle."""
        return self._x(x) / WIDTH

    def labels(self) -> list[tuple[float, str]]:
        """Return the labels of the y axis: position from 0 at the top to 1 at the bottom, and text."""
        texts = _tick_texts(self._ticks)
        return [(self._y(y) / HEIGHT, text) for y, text in zip(self._ticks, texts, strict=True)]

    def grid_lines(self) -> str:
        """Return a horizontal line at each label."""
        lines = "".join(f"M0 {round(self._y(y))}h{WIDTH}" for y in self._ticks)
        return f'<path class=lw-rule d="{lines}"/>' if lines else ""

    def line(self, color: str, style: str, buckets: list[Bucket], curve: Curve, curves: int, is_live: bool) -> str:
        """Return the paths of a curve: its means, over a pale band from min to max, and a dot at the latest point.

        Args:
            color, style: CSS classes.
            buckets: of the curve.
            curve: for its latest value.
            curves: number of curves in the chart.
            is_live: the session is active, so the latest point is marked.
        """
        if not buckets:
            return ""
        has_band = curves <= MAX_BANDS
        run = thinned(buckets, max(24, min(150, MAX_COORDINATES // ((2 if has_band else 1) * curves))))
        points = [(bucket.x, _middle(bucket) if has_band else self._farthest(bucket)) for bucket in run]
        last, last_x = curve.last, curve.last_x
        if last is not None and last_x is not None and math.isfinite(last) and last_x >= points[-1][0]:
            points.append((last_x, last))
        is_exact = all(bucket.low == bucket.high for bucket in run)
        paths = ""
        if has_band and not is_exact:
            band = thinned(buckets, min(90, MAX_COORDINATES // (4 * curves)))
            outline = [(bucket.x, bucket.high) for bucket in band] + [
                (bucket.x, bucket.low) for bucket in reversed(band)
            ]
            paths += f'<path class="{color} lw-band" d="{self._path(outline)}Z"/>'
        paths += f'<path class="{color} {style}" d="{self._path(points)}"/>'
        if is_live or len(set(points)) == 1:
            paths += f'<path class="{color} lw-spot" d="{self._path(points[-1:])}h0"/>'
        return paths

    def _farthest(self, bucket: Bucket) -> float:
        """Return what a line without a band shows: the mean, or the extreme if the mean would hide a spike."""
        if self._y(bucket.low) - self._y(bucket.high) < HEIGHT / 3:
            return _middle(bucket)
        return max(bucket.low, bucket.high, key=lambda y: abs(self._y(y) - self._y(_middle(bucket))))

    def _path(self, points: Sequence[Point]) -> str:
        """Return path data of integers, each relative to the one before."""
        spots = [(round(self._x(x)), round(self._y(y))) for x, y in points]
        text = f"M{spots[0][0]} {spots[0][1]}"
        command = "l"
        for (x0, y0), (x1, y1) in pairwise(spots):
            if (x0, y0) != (x1, y1):
                step = f"{x1 - x0}{'' if y1 < y0 else ' '}{y1 - y0}"
                text += f"{command}{step}" if command or step[0] == "-" else f" {step}"
                command = ""
        return text

    def _x(self, x: float) -> float:
        return (x - self._left) * self._x_scale if self._x_scale else WIDTH / 2

    def _y(self, y: float) -> float:
        part = (y / 2 - self._low / 2) / self._span  # halves, since the range may be beyond a float
        return HEIGHT * (1 - max(0.0, min(1.0, part)))


def thinned(buckets: list[Bucket], most: int) -> list[Bucket]:
    """Merge adjacent buckets so that at most `most` are left."""
    run = math.ceil(len(buckets) / most)
    if run <= 1:
        return buckets
    parts = [buckets[at : at + run] for at in range(0, len(buckets), run)]
    return [
        Bucket(
            part[0].x,
            min(bucket.low for bucket in part),
            max(bucket.high for bucket in part),
            sum(_middle(bucket) / len(part) for bucket in part),
        )
        for part in parts
    ]


def _middle(bucket: Bucket) -> float:
    return bucket.mean if math.isfinite(bucket.mean) else bucket.low / 2 + bucket.high / 2


def _y_range(buckets: Sequence[Bucket]) -> tuple[float, float]:
    """Return a range with all values and a margin, and with zero if that is near."""
    low = min((bucket.low for bucket in buckets), default=0.0)
    high = max((bucket.high for bucket in buckets), default=1.0)
    margin = (abs(low) * 0.1 or 0.5) if low == high else high * 0.04 - low * 0.04
    low = 0.0 if 0 <= low < high * 0.3 else low - margin
    return max(low, -MAX_Y), min(high + margin, MAX_Y)


def _ticks(low: float, high: float) -> list[float]:
    """Return two to five round values in a range."""
    span = high / 4 - low / 4
    size = 10.0 ** math.floor(math.log10(span)) if span > 0 else 0.0
    step = next((size * digit for digit in (1, 2, 2.5, 5, 10) if size * digit >= span), 0.0)
    if step <= abs(high) * 1e-15:  # floats of this size are farther apart
        return []
    first = math.ceil(low / step)
    return [number * step for number in range(first, min(math.floor(high / step), first + 8) + 1)]


def _tick_texts(ticks: Sequence[float]) -> list[str]:
    """Format labels with as many digits as tell them apart, the same number for all."""
    size = max(map(abs, ticks), default=0.0)
    if 1e4 <= size < 1e15:
        unit = min(4, int(math.log10(size) / 3))
        return [f"{y / 1000**unit:.6g}{' kMGT'[unit]}" if y else "0" for y in ticks]
    texts: list[str] = []
    for digits in range(7):
        texts = [f"{y:.{digits}e}" if size >= 1e4 or size < 1e-3 else f"{y:,.{digits}f}" for y in ticks]
        shown = [float(text.replace(",", "")) for text in texts]
        if all(abs(read - y) <= size * 1e-9 for read, y in zip(shown, ticks, strict=True)):
            break
    return [_exponent(text) if y else "0" for y, text in zip(ticks, texts, strict=True)]
