"""Render a session as HTML, with a card and a small SVG chart for each graph.

There is no script, nothing is loaded, and every text is escaped. Text and lines take the colour of the text around
them, and status colours are mixed with it, so that a card fits light and dark themes. Labels are HTML, not SVG, because
the SVG is stretched.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Mapping
from itertools import takewhile

from losswise.notebook.curves import Bucket, Curve
from losswise.notebook.svg import COLORS, Drawing, number
from losswise.notebook.view import SessionView
from losswise.settings import mode

MAX_CHARTS = 6
MAX_TITLES = 20
# characters of a name that are in the HTML, and three times as many in its tooltip
MAX_NAME_CHARS = 120
# a name of so many characters is never shortened
SHORT_NAME_CHARS = 16
# the part of a name that tells it from others stays visible up to this length
MAX_DISTINCT_CHARS = 20
# of other names the end stays visible
TAIL_CHARS = 8

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
.lw-cut{display:inline-flex;max-width:100%;white-space:pre;vertical-align:bottom}
.lw-cut .lw-less{overflow:hidden;text-overflow:ellipsis}
.lw-head,.lw-top,.lw-done{display:flex;flex-wrap:wrap;align-items:baseline;gap:0 12px}
.lw-head{margin:4px 0 10px}
.losswise a{color:inherit;text-decoration:underline #8889;text-underline-offset:3px}
.lw-head a,.lw-head b{max-width:100%;font-weight:600}
.lw-state{white-space:nowrap}
.lw-state::before{content:"";display:inline-block;width:8px;height:8px;margin-right:6px;border-radius:50%;
background:currentColor}
.lw-done{flex:0 0 auto;flex-wrap:nowrap;gap:8px;white-space:nowrap}
.lw-track{flex:0 0 100px;align-self:center;height:5px;overflow:hidden;border-radius:3px;background:#8884}
.lw-track i{display:block;height:100%;border-radius:3px;background:#4c6ef5}
.lw-grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(290px,100%),1fr));gap:12px}
.lw-grid+div{margin-top:8px}
.lw-card{min-width:0;max-width:540px;padding:9px 12px 10px;border:1px solid #8884;border-radius:8px}
.lw-top{gap:0 8px;font-size:12px}
.lw-top>b{max-width:100%;font-size:13px}
.lw-top .lw-bad{margin-left:auto}
.lw-plot{position:relative;height:120px;margin:12px 0 0 44px}
.lw-plot svg{display:block;width:100%;height:100%;overflow:visible}
.lw-plot path{fill:none;stroke:currentColor;stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round;
vector-effect:non-scaling-stroke}
.lw-plot path.lw-rule{stroke:#888;stroke-opacity:.28;stroke-width:1}
.lw-plot path.lw-band{fill:currentColor;fill-opacity:.22;stroke-width:1;stroke-opacity:.35}
.lw-plot path.lw-held{stroke-dasharray:5 3;stroke-linecap:butt}
.lw-plot path.lw-spot{stroke-width:6}
.lw-plot i{position:absolute;font-style:normal;font-size:11px;line-height:1;white-space:nowrap}
.lw-plot i.lw-y{right:100%;margin:-5px 7px 0 0;opacity:.72}
.lw-plot i.lw-nan{top:-9px;width:8px;margin-left:-4px;border:4px solid transparent;border-top:0;
border-bottom:7px solid currentColor}
.lw-x{display:flex;justify-content:space-between;gap:12px;margin:5px 0 8px 44px;font-size:11px;line-height:1.2;
opacity:.72}
.lw-keys{display:grid;grid-template-columns:18px minmax(0,1fr) repeat(3,auto);gap:1px 10px;font-size:12px}
.lw-keys>*{text-align:right;white-space:nowrap;font-weight:400}
.lw-keys b{font-weight:600}
.lw-keys .lw-name{min-width:0;overflow:hidden;text-align:left;text-overflow:ellipsis}
.lw-keys i{align-self:center;border-top:2.5px solid}
.lw-keys i.lw-held{border-top-style:dashed}
""".replace("\n", "")
    + "".join(f".lw{index}{{color:{color}}}" for index, color in enumerate(COLORS))
)


_STATUS_CLASSES = {"active": "lw-warn", "complete": "lw-good", "failed": "lw-bad"}


def render(view: SessionView) -> str:
    """Return the session's state, a link to its page, and a chart of each of its first graphs, as HTML."""
    if not view.graphs:
        body = _dim("no graphs yet: <code>session.graph(&quot;loss&quot;).append(x, {&quot;train&quot;: 0.5})</code>")
    elif view.curves is None:
        body = _dim(f"graphs: {_titles(graph.title for graph in view.graphs[:MAX_TITLES])}")
    else:
        is_live = view.status == "active"
        charts = [
            card(graph.title, graph.kind, view.curves.curves(graph.title), is_live)
            for graph in view.graphs[:MAX_CHARTS]
        ]
        body = f"<div class=lw-grid>{''.join(charts)}</div>"
        if left := view.graphs[MAX_CHARTS:]:
            more = ", …" if len(left) > MAX_CHARTS else ""
            body += _dim(f"also on its page: {_titles(graph.title for graph in left[:MAX_CHARTS])}{more}")
    return f"<div class=losswise><style>{STYLE}</style>{_head(view)}{body}</div>"


def _head(view: SessionView) -> str:
    name = cut(view.name)
    if not view.is_recorded:
        reason = "; LW_MODE is disabled" if mode() == "disabled" else ""
        name = f"<b>{name}</b>{_dim(f'nothing is recorded{reason}', tag='span')}"
    elif view.is_online:
        name = f'<a href="{html.escape(view.url)}" target=_blank rel=noopener>{name}</a>'
    else:
        name = f"<b>{name}</b>{_dim('kept on this disk; <code>losswise sync</code> sends it', tag='span')}"
    status = html.escape(view.status)
    state = f'<span class="lw-state {_STATUS_CLASSES.get(status, "lw-dim")}">{status}</span>'
    return f"<div class=lw-head>{name}{state}{_progress(view)}</div>"


def _progress(view: SessionView) -> str:
    if not view.max_iter or not view.is_recorded:
        return ""
    done = 0 if view.last_x is None else view.last_x + 1
    part = 1.0 if view.status == "complete" else max(0.0, min(1.0, done / view.max_iter))
    return (
        f"<span class=lw-done><span class=lw-track><i style=width:{part:.1%}></i></span><span>{int(part * 100)}%</span>"
        f"<span class=lw-dim>{view.last_x or 0:,} of {view.max_iter:,}</span></span>"
    )


def _dim(text: str, tag: str = "div") -> str:
    return f"<{tag} class=lw-dim>{text}</{tag}>"


def _titles(titles: Iterable[str]) -> str:
    return ", ".join(cut(title or "untitled") for title in titles)


def is_held_out(name: str) -> bool:
    """Return whether a metric is of data that was not trained on: it is dashed, and the best value is one of these."""
    return _HELD_OUT.search(_CAMEL.sub(r"\1_\2", name).replace("_", " ").lower()) is not None


def cut(text: str, front: int = 0, back: int = 0) -> str:
    """Return a name as HTML that is shortened where there is too little room, with the whole name as a tooltip.

    Args:
        text: the name.
        front, back: characters at its beginning and end that it shares with other names, and that are cut first.
    """
    if len(text) <= SHORT_NAME_CHARS:
        return html.escape(text)
    if back >= TAIL_CHARS // 2 and len(text) - back <= MAX_DISTINCT_CHARS:
        kept, less = html.escape(text[:-back]), html.escape(text[-back:][:MAX_NAME_CHARS])
        parts = f"<span>{kept}</span><span class=lw-less>{less}</span>"
    else:
        at = front if front >= TAIL_CHARS // 2 and len(text) - front <= MAX_DISTINCT_CHARS else len(text) - TAIL_CHARS
        less, kept = html.escape(text[:at][:MAX_NAME_CHARS]), html.escape(text[at:])
        parts = f"<span class=lw-less>{less}</span><span>{kept}</span>"
    return f'<span class=lw-cut title="{html.escape(text[: 3 * MAX_NAME_CHARS])}">{parts}</span>'


def card(title: str, kind: str | None, curves: Mapping[str, Curve], is_live: bool) -> str:
    """Render a graph: title, kind and best value, a warning about NaN, the chart, and the values of each curve."""
    buckets = {name: curve.buckets() for name, curve in curves.items()}
    best = _best(kind, buckets)
    summary = f"<span class=lw-dim>{kind}{' · best' if best is not None else ''}</span>" if kind else ""
    summary += f"<span>{number(best)}</span>" if best is not None else ""
    top = f"<b>{cut(title or 'untitled')}</b>{summary}{_broken(curves.values())}"
    if not curves:
        return f"<div class=lw-card><div class=lw-top>{top}</div><div class=lw-dim>no points yet</div></div>"
    chart = _chart(title, curves, buckets, is_live)
    return f"<div class=lw-card><div class=lw-top>{top}</div>{chart}{_legend(curves, buckets)}</div>"


def _best(kind: str | None, buckets: Mapping[str, list[Bucket]]) -> float | None:
    all_names = [name for name in buckets if buckets[name]]
    held_out = [name for name in all_names if is_held_out(name)]
    chosen = [bucket for name in held_out or all_names for bucket in buckets[name]]
    if not chosen or kind is None:
        return None
    return min(bucket.low for bucket in chosen) if kind == "min" else max(bucket.high for bucket in chosen)


def _broken(curves: Iterable[Curve]) -> str:
    broken = [(curve.bad_x, curve) for curve in curves if curve.bad_x is not None]
    if not broken:
        return ""
    x, first = min(broken, key=lambda pair: pair[0])
    counts = f"NaN: {first.nan:,}, infinite: {first.inf:,}"
    return f'<span class=lw-bad title="{counts}">{number(first.bad)} at {x:,}</span>'


def _chart(title: str, curves: Mapping[str, Curve], buckets: Mapping[str, list[Bucket]], is_live: bool) -> str:
    xs = [bucket.x for there in buckets.values() for bucket in there]
    for curve in curves.values():
        xs += [float(x) for x in (curve.bad_x, curve.last_x) if x is not None]
    left, right = min(xs), max(xs)
    drawing = Drawing(left, right, [bucket for there in buckets.values() for bucket in there])
    svg = drawing.grid_lines()
    for index, (name, curve) in enumerate(curves.items()):
        color = f"lw{index % len(COLORS)}"
        svg += drawing.line(color, "lw-held" if is_held_out(name) else "", buckets[name], curve, len(curves), is_live)
    marks = "".join(
        f'<i class="lw-nan lw-bad" style="left:{drawing.x_fraction(curve.bad_x):.1%}"></i>'
        for curve in curves.values()
        if curve.bad_x is not None
    )
    labels = "".join(f"<i class=lw-y style=top:{part:.1%}>{text}</i>" for part, text in drawing.labels())
    ends = f"{left:,.0f}", f"{right:,.0f}"
    x = f"<span>{ends[0]}</span><span>{ends[1]}</span>" if left < right else f"<span style=margin:auto>{ends[0]}</span>"
    description = html.escape(f"{title[:60]}, x from {ends[0]} to {ends[1]}")
    return (
        f'<div class=lw-plot><svg viewBox="{drawing.BOX}" preserveAspectRatio=none role=img aria-label="{description}">'
        f"{svg}</svg>{labels}{marks}</div><div class=lw-x>{x}</div>"
    )


def _legend(curves: Mapping[str, Curve], buckets: Mapping[str, list[Bucket]]) -> str:
    header = "".join(f"<span class=lw-dim>{word}</span>" for word in ("last", "min", "max"))
    rows = [f"<span></span><span></span>{header}"]
    front, back = (_shared(names) for names in (list(curves), [name[::-1] for name in curves]))
    for index, (name, curve) in enumerate(curves.items()):
        low = min((bucket.low for bucket in buckets[name]), default=None)
        high = max((bucket.high for bucket in buckets[name]), default=None)
        held = " lw-held" if is_held_out(name) else ""
        bad = " class=lw-bad" if curve.last is not None and not math.isfinite(curve.last) else ""
        rows.append(
            f'<i class="lw{index % len(COLORS)}{held}"></i><span class=lw-name>{cut(name, front, back)}</span>'
            f"<b{bad}>{number(curve.last)}</b><span>{number(low)}</span><span>{number(high)}</span>"
        )
    return f"<div class=lw-keys>{''.join(rows)}</div>"


def _shared(names: list[str]) -> int:
    """Return how many characters all of several names begin with."""
    columns = zip(*names, strict=False) if len(names) > 1 else ()
    return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))
