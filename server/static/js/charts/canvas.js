// Drawing on the chart's canvas: lines, bands between extremes, marks where a value was not finite.
import { after } from '../data/line.js';
import { isBanded } from './display_line.js';

const DOTS_BELOW = 24;

/** Pixels of a value on a scale, as a function; null where the scale has no range yet. */
export function ruler(u, key) {
  const scale = u.scales[key];
  if (scale.min == null || scale.max == null || scale.min === scale.max) return null;
  const { left, top, width, height } = u.bbox;
  const warp = scale.distr === 3 ? Math.log10 : (value) => value;
  const min = warp(scale.min);
  const span = warp(scale.max) - min;
  return key === 'x'
    ? (value) => left + ((warp(value) - min) / span) * width
    : (value) => top + height - ((warp(value) - min) / span) * height;
}

/** Draw everything: an array of {places, line, shown, color, dash, smoothed, live}. */
export function drawAll(u, lines, { bad, logY }) {
  const X = ruler(u, 'x');
  const Y = ruler(u, 'y');
  if (!X || !Y) return;
  const { ctx } = u;
  const { left, top, width, height } = u.bbox;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  ctx.lineJoin = 'round';
  const range = (item) => [
    Math.max(0, after(item.places, u.scales.x.min) - 2),
    Math.min(item.places.length, after(item.places, u.scales.x.max) + 1),
  ];
  const y = logY ? (value) => (value > 0 ? Y(value) : NaN) : Y;
  for (const item of lines) if (isBanded(item.line)) drawBand(ctx, item, range(item), X, y, ratio);
  for (const item of lines)
    if (item.smoothed && !isBanded(item.line))
      drawLine(ctx, item, item.line.mid, range(item), X, y, { ratio, alpha: 0.25, thin: true });
  for (const item of lines)
    drawLine(ctx, item, item.smoothed ?? item.line.mid, range(item), X, y, { ratio, alpha: 1 });
  for (const item of lines) if (item.live) drawHead(ctx, item, X, y, ratio);
  for (const item of lines) drawMarks(ctx, item, range(item), X, { top, ratio, bad });
  ctx.restore();
}

function drawBand(ctx, item, [from, to], X, Y, ratio) {
  const { places, line, color } = item;
  ctx.fillStyle = color;
  ctx.strokeStyle = color;
  ctx.lineWidth = ratio;
  ctx.setLineDash([]);
  const isGap = (at) => Number.isNaN(Y(line.lo[at]));
  // where there is nothing between the extremes there is no edge either, which would fill a dashed line's gaps
  const isFlat = (at) => line.lo[at] === line.hi[at] && (at + 1 >= to || line.lo[at + 1] === line.hi[at + 1]);
  let at = from;
  while (at < to) {
    while (at < to && (isGap(at) || isFlat(at))) at += 1;
    const start = at;
    const path = new Path2D();
    for (; at < to && !isGap(at); at += 1) {
      path.lineTo(X(places[at]), Y(line.hi[at]));
      if (at > start && isFlat(at)) {
        at += 1;
        break;
      }
    }
    if (at === start) break;
    for (let back = at - 1; back >= start; back -= 1) path.lineTo(X(places[back]), Y(line.lo[back]));
    path.closePath();
    ctx.globalAlpha = 0.16;
    ctx.fill(path);
    ctx.globalAlpha = 0.34; // the edge keeps a one-point spike in sight
    ctx.stroke(path);
  }
  ctx.globalAlpha = 1;
}

function drawLine(ctx, item, values, [from, to], X, Y, { ratio, alpha, thin }) {
  const { places, color, dash } = item;
  const path = new Path2D();
  const dots = new Path2D();
  const few = to - from <= DOTS_BELOW && !thin;
  let length = 0;
  let lastX = 0;
  let lastY = 0;
  for (let at = from; at < to; at += 1) {
    const y = Y(values[at]);
    if (Number.isNaN(y)) {
      if (length === 1 && !few) dot(dots, lastX, lastY, 1.6 * ratio);
      length = 0;
      continue;
    }
    lastX = X(places[at]);
    lastY = y;
    if (length === 0) path.moveTo(lastX, y);
    else path.lineTo(lastX, y);
    length += 1;
    if (few) dot(dots, lastX, y, 1.9 * ratio);
  }
  if (length === 1 && !few) dot(dots, lastX, lastY, 1.6 * ratio);
  ctx.globalAlpha = alpha;
  ctx.strokeStyle = color;
  ctx.fillStyle = color;
  ctx.lineWidth = (thin ? 1 : item.near ? 2.4 : 1.6) * ratio;
  ctx.setLineDash(thin ? [] : dash.map((part) => part * ratio));
  ctx.stroke(path);
  ctx.fill(dots);
  ctx.globalAlpha = 1;
}

function dot(path, x, y, radius) {
  path.moveTo(x + radius, y);
  path.arc(x, y, radius, 0, 7);
}

// The end of a line that still grows.
function drawHead(ctx, item, X, Y, ratio) {
  const values = item.smoothed ?? item.line.mid;
  const at = values.length - 1;
  if (at < 0 || Number.isNaN(Y(values[at]))) return;
  const path = new Path2D();
  dot(path, X(item.places[at]), Y(values[at]), 2.8 * ratio);
  ctx.fillStyle = item.color;
  ctx.fill(path);
}

// A triangle at the upper edge where a run of NaN or infinity begins, and a line along the edge while it lasts.
function drawMarks(ctx, item, [from, to], X, { top, ratio, bad }) {
  ctx.fillStyle = bad;
  for (let at = from; at < to; at += 1) {
    if (!item.line.bad[at]) continue;
    const start = X(item.places[at]);
    while (at + 1 < to && item.line.bad[at + 1]) at += 1;
    const end = X(item.places[at]);
    ctx.globalAlpha = 0.5;
    ctx.fillRect(start, top, end - start, 2 * ratio);
    ctx.globalAlpha = 1;
    ctx.beginPath();
    ctx.moveTo(start - 5 * ratio, top + 9 * ratio);
    ctx.lineTo(start, top);
    ctx.lineTo(start + 5 * ratio, top + 9 * ratio);
    ctx.fill();
  }
}

/** A short piece of a line as it is drawn, for legends and tooltips. */
export function sample(canvas, color, dash) {
  const ratio = devicePixelRatio;
  canvas.width = 18 * ratio;
  canvas.height = 8 * ratio;
  canvas.style.width = '18px';
  canvas.style.height = '8px';
  const ctx = canvas.getContext('2d');
  ctx.strokeStyle = color;
  ctx.lineWidth = 2 * ratio;
  ctx.setLineDash(dash.map((part) => part * ratio));
  ctx.beginPath();
  ctx.moveTo(0, 4 * ratio);
  ctx.lineTo(18 * ratio, 4 * ratio);
  ctx.stroke();
  return canvas;
}
