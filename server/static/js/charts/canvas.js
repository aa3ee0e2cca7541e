// Draws on a chart's canvas: lines, bands between extremes, marks where a value is not finite.
import { upperBound } from '../data/line.js';
import { hasBand } from './display_line.js';

/** @import { Line } from '../data/line.js' */
/** @import { Dash } from '../ui/palette.js' */

/**
 * A line with all that drawing it needs.
 *
 * @typedef {object} DrawnLine
 * @property {number[]} positions on the horizontal axis, ascending
 * @property {Line} line
 * @property {string} color
 * @property {Dash} dash
 * @property {boolean} live whether it still grows
 * @property {number | null} firstBad the step of its first value that is not finite
 * @property {number[] | null} smoothed
 * @property {string} label
 * @property {number} [width] of the line in CSS pixels
 * @property {(at: number) => {spread: string, more: string}} [facts] of a group's mean: what the tooltip tells at a point
 */

const WIDTH = 1.6; // pixels

/** @typedef {(value: number) => number} Scale canvas pixels of a value */
/** @typedef {[from: number, to: number]} Indexes from, and to before */

const MAX_DOTS = 24; // up to so many visible points each is a dot

/**
 * The scale of an axis; null if it has no range yet.
 *
 * @param {uPlot} u
 * @param {'x' | 'y'} key
 * @returns {Scale | null}
 */
function scaleOf(u, key) {
  const { min, max, distr } = u.scales[key];
  if (min == null || max == null || min === max) return null;
  const { left, top, width, height } = u.bbox;
  const warp = distr === 3 ? Math.log10 : (/** @type {number} */ value) => value;
  const low = warp(min);
  const span = warp(max) - low;
  return key === 'x'
    ? (value) => left + ((warp(value) - low) / span) * width
    : (value) => top + height - ((warp(value) - low) / span) * height;
}

/**
 * Draw all lines of a chart.
 *
 * @param {uPlot} u
 * @param {DrawnLine[]} lines
 * @param {{bad: string, logY: boolean}} options `bad` is the color of marks
 */
export function drawAll(u, lines, { bad, logY }) {
  const X = scaleOf(u, 'x');
  const scale = scaleOf(u, 'y');
  if (!X || !scale) return;
  const { ctx } = u;
  const { left, top, width, height } = u.bbox;
  const Y = logY ? (/** @type {number} */ value) => (value > 0 ? scale(value) : NaN) : scale;
  // a band that reaches zero leaves a log axis at its lower end
  const bottom = top + height + 2 * devicePixelRatio;
  const lowY = logY ? (/** @type {number} */ value) => (value > 0 ? scale(value) : bottom) : scale;
  const { min = 0, max = 0 } = u.scales.x;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  ctx.lineJoin = 'round';
  /**
   * @param {DrawnLine} item
   * @returns {Indexes}
   */
  const visible = ({ positions }) => [
    Math.max(0, upperBound(positions, min) - 2),
    Math.min(positions.length, upperBound(positions, max) + 1),
  ];
  for (const item of lines) if (hasBand(item.line)) drawBand(ctx, item, visible(item), X, { Y, lowY }, ratio);
  for (const item of lines)
    if (item.smoothed && !hasBand(item.line))
      drawLine(ctx, item, item.line.mid, visible(item), X, Y, { ratio, alpha: 0.25, thin: true });
  for (const item of lines)
    drawLine(ctx, item, item.smoothed ?? item.line.mid, visible(item), X, Y, { ratio, alpha: 1, thin: false });
  for (const item of lines) if (item.live) drawHead(ctx, item, X, Y, ratio);
  for (const item of lines) drawMarks(ctx, item, visible(item), X, { top, ratio, bad });
  ctx.restore();
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {DrawnLine} item
 * @param {Indexes} indexes
 * @param {Scale} X
 * @param {{Y: Scale, lowY: Scale}} scales of the upper and the lower edge
 * @param {number} ratio
 */
function drawBand(ctx, { positions, line, color, facts }, [from, to], X, { Y, lowY }, ratio) {
  ctx.fillStyle = color;
  ctx.strokeStyle = color;
  ctx.lineWidth = ratio;
  ctx.setLineDash([]);
  /** @param {number} at */
  const isGap = (at) => Number.isNaN(Y(line.hi[at]));
  // without extremes there is no edge to draw: it would fill a dashed line's gaps
  /** @param {number} at */
  const isFlat = (at) => line.lo[at] === line.hi[at] && (at + 1 >= to || line.lo[at + 1] === line.hi[at + 1]);
  let at = from;
  while (at < to) {
    while (at < to && (isGap(at) || isFlat(at))) at += 1;
    const start = at;
    const path = new Path2D();
    for (; at < to && !isGap(at); at += 1) {
      path.lineTo(X(positions[at]), Y(line.hi[at]));
      if (at > start && isFlat(at)) {
        at += 1;
        break;
      }
    }
    if (at === start) break;
    for (let back = at - 1; back >= start; back -= 1) path.lineTo(X(positions[back]), lowY(line.lo[back]));
    path.closePath();
    ctx.globalAlpha = facts ? 0.24 : 0.16;
    ctx.fill(path);
    if (facts) continue; // edges of several groups would hide their means
    ctx.globalAlpha = 0.34; // the edge keeps a spike of one point visible
    ctx.stroke(path);
  }
  ctx.globalAlpha = 1;
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {DrawnLine} item
 * @param {number[]} values
 * @param {Indexes} indexes
 * @param {Scale} X
 * @param {Scale} Y
 * @param {{ratio: number, alpha: number, thin: boolean}} options
 */
function drawLine(ctx, { positions, color, dash, width }, values, [from, to], X, Y, { ratio, alpha, thin }) {
  const path = new Path2D();
  const dots = new Path2D();
  const isDotted = to - from <= MAX_DOTS && !thin;
  let length = 0; // points since the last gap; a single one is a dot
  let lastX = 0;
  let lastY = 0;
  for (let at = from; at < to; at += 1) {
    const y = Y(values[at]);
    if (Number.isNaN(y)) {
      if (length === 1 && !isDotted) addDot(dots, lastX, lastY, 1.6 * ratio);
      length = 0;
      continue;
    }
    lastX = X(positions[at]);
    lastY = y;
    if (length === 0) path.moveTo(lastX, y);
    else path.lineTo(lastX, y);
    length += 1;
    if (isDotted) addDot(dots, lastX, y, 1.9 * ratio);
  }
  if (length === 1 && !isDotted) addDot(dots, lastX, lastY, 1.6 * ratio);
  ctx.globalAlpha = alpha;
  ctx.strokeStyle = color;
  ctx.fillStyle = color;
  ctx.lineWidth = (thin ? 1 : (width ?? WIDTH)) * ratio;
  ctx.setLineDash(thin ? [] : dash.map((part) => part * ratio));
  ctx.stroke(path);
  ctx.fill(dots);
  ctx.globalAlpha = 1;
}

/**
 * @param {Path2D} path
 * @param {number} x
 * @param {number} y
 * @param {number} radius
 */
function addDot(path, x, y, radius) {
  path.moveTo(x + radius, y);
  path.arc(x, y, radius, 0, 7);
}

/**
 * Draw a dot at the end of a line that still grows.
 *
 * @param {CanvasRenderingContext2D} ctx
 * @param {DrawnLine} item
 * @param {Scale} X
 * @param {Scale} Y
 * @param {number} ratio
 */
function drawHead(ctx, item, X, Y, ratio) {
  const values = item.smoothed ?? item.line.mid;
  const at = values.length - 1;
  if (at < 0 || Number.isNaN(Y(values[at]))) return;
  const path = new Path2D();
  addDot(path, X(item.positions[at]), Y(values[at]), 2.8 * ratio);
  ctx.fillStyle = item.color;
  ctx.fill(path);
}

/**
 * Draw a triangle at the upper edge where a run of NaN or infinity begins, and a line along the edge while it lasts.
 *
 * @param {CanvasRenderingContext2D} ctx
 * @param {DrawnLine} item
 * @param {Indexes} indexes
 * @param {Scale} X
 * @param {{top: number, ratio: number, bad: string}} options
 */
function drawMarks(ctx, { positions, line }, [from, to], X, { top, ratio, bad }) {
  ctx.fillStyle = bad;
  for (let at = from; at < to; at += 1) {
    if (!line.bad[at]) continue;
    const start = X(positions[at]);
    while (at + 1 < to && line.bad[at + 1]) at += 1;
    const end = X(positions[at]);
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

/**
 * A short piece of a line as it is drawn, for legends and tooltips.
 *
 * @param {string} color
 * @param {Dash} dash
 * @param {boolean} [isBand] whether there is a band around it
 */
export function lineSample(color, dash, isBand = false) {
  const canvas = document.createElement('canvas');
  const ratio = devicePixelRatio;
  canvas.width = 18 * ratio;
  canvas.height = 8 * ratio;
  canvas.style.width = '18px';
  canvas.style.height = '8px';
  const ctx = canvas.getContext('2d');
  if (!ctx) return canvas;
  if (isBand) {
    ctx.fillStyle = color;
    ctx.globalAlpha = 0.3;
    ctx.fillRect(0, 0, canvas.width, canvas.height);
    ctx.globalAlpha = 1;
  }
  ctx.strokeStyle = color;
  ctx.lineWidth = 2 * ratio;
  ctx.setLineDash(dash.map((part) => part * ratio));
  ctx.beginPath();
  ctx.moveTo(0, 4 * ratio);
  ctx.lineTo(18 * ratio, 4 * ratio);
  ctx.stroke();
  return canvas;
}
