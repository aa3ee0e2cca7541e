// The values under the crosshair, beside it, and dots on the lines at the points that they belong to.
import { MINUS, NAN, nearestIndex, PLUS } from '../data/line.js';
import { state } from '../data/store.js';
import { make } from '../ui/dom.js';
import { number, whole } from '../ui/format.js';
import { lineSample } from './canvas.js';
import { positionText } from './x_axis.js';

/** @import { DrawnLine } from './canvas.js' */
/** @import { Chart } from './chart.js' */

const LINE_REACH = 14; // pixels beyond a line's end in which it still has a value
const MARK_REACH = 7; // pixels around a value that is not finite
const MAX_MARK_DISTANCE = 30; // points that are looked at on each side
const MAX_ROWS = 14;
const MAX_DETAILED = 6; // rows up to which each group has a second line

/**
 * A line's point at the crosshair.
 *
 * @typedef {object} Hit
 * @property {DrawnLine} item
 * @property {number} at its index
 * @property {number} bad the index of a value near it that is not finite, or -1
 */

/** @type {HTMLElement | null} */
let tip = null;

/**
 * The nearest point of each line.
 *
 * @param {Chart} chart
 * @param {number} position on the axis
 * @returns {Hit[]}
 */
function hitsAt({ u, lines }, position) {
  const pixel = u.valToPos(position, 'x');
  const hits = [];
  for (const item of lines) {
    const { positions } = item;
    const at = nearestIndex(positions, position);
    if (at < 0) continue;
    const isInside = position >= positions[0] && position <= positions[positions.length - 1];
    if (!isInside && Math.abs(u.valToPos(positions[at], 'x') - pixel) > LINE_REACH) continue;
    hits.push({ item, at, bad: nearestBad(u, item, at, pixel) });
  }
  return hits;
}

/**
 * @param {uPlot} u
 * @param {DrawnLine} item
 * @param {number} at
 * @param {number} pixel the crosshair's
 */
function nearestBad(u, { line, positions }, at, pixel) {
  for (let by = 0; by < MAX_MARK_DISTANCE; by += 1) {
    for (const near of [at - by, at + by]) {
      if (line.bad[near] && Math.abs(u.valToPos(positions[near], 'x') - pixel) <= MARK_REACH) return near;
    }
  }
  return line.bad[at] ? at : -1;
}

/**
 * Show what is under the crosshair: dots in every chart, the tooltip in the one that the pointer is in.
 *
 * @param {Chart} chart
 * @param {string | null | undefined} xlabel
 */
export function showTooltip(chart, xlabel) {
  const position = chart.cursor;
  const hits = position === null ? [] : hitsAt(chart, position);
  drawDots(chart, hits);
  if (!chart.isHovered && !chart.hasTooltip) return;
  chart.hasTooltip = chart.isHovered && hits.length > 0;
  if (position === null || !chart.hasTooltip) return hideTooltip();
  fill(chart, hits, position, xlabel);
}

export function hideTooltip() {
  if (tip) tip.hidden = true;
}

/**
 * @param {Chart} chart
 * @param {Hit[]} hits
 */
function drawDots({ u, dots }, hits) {
  const visible = hits.filter((hit) => Number.isFinite(yOf(hit)) && !(state.logY && yOf(hit) <= 0));
  while (dots.length < visible.length) {
    const dot = make('i', { className: 'spot' });
    u.over.append(dot);
    dots.push(dot);
  }
  dots.forEach((dot, n) => {
    dot.hidden = n >= visible.length;
    if (dot.hidden) return;
    const { item, at } = visible[n];
    const [x, y] = [u.valToPos(item.positions[at], 'x'), u.valToPos(yOf(visible[n]), 'y')];
    dot.style.background = item.color;
    dot.style.transform = `translate(${x}px, ${y}px)`;
  });
}

/** @param {Hit} hit */
const yOf = ({ item, at }) => (item.smoothed ?? item.line.mid)[at];

/**
 * @param {Chart} chart
 * @param {Hit[]} hits
 * @param {number} position
 * @param {string | null | undefined} xlabel
 */
function fill(chart, hits, position, xlabel) {
  tip ??= document.body.appendChild(make('div', { className: 'tip', role: 'tooltip' }));
  const { min = 0, max = 0 } = chart.u.scales.x;
  const nearest = hits
    .map(({ item, at }) => item.positions[at])
    .reduce((a, b) => (Math.abs(b - position) < Math.abs(a - position) ? b : a));
  const nearestHit = closestToPointer(chart, hits);
  const isMany = hits.length > MAX_ROWS;
  const shown = isMany ? [...hits].sort((a, b) => Number(b === nearestHit) - Number(a === nearestHit)) : hits;
  tip.replaceChildren(
    make('div', { className: 'at' }, positionText(nearest, state.xMode, xlabel, max - min)),
    make('table', {}, ...shown.slice(0, MAX_ROWS).flatMap((hit) => rows(hit, hit === nearestHit, hits.length))),
  );
  if (isMany) tip.append(`and ${hits.length - MAX_ROWS} more`);
  tip.hidden = false;
  placeBeside(chart, tip);
}

/**
 * A line's row; that of a group has a second one below.
 *
 * @param {Hit} hit
 * @param {boolean} isNearest
 * @param {number} count of hits
 */
function rows(hit, isNearest, count) {
  const { item, at, bad } = hit;
  const { lo, hi, mid } = item.line;
  const facts = item.facts?.(at);
  const tr = make('tr', {}, make('td', {}, lineSample(item.color, item.dash, Boolean(facts))));
  tr.classList.toggle('near', isNearest && count > 1);
  /**
   * @param {string} className
   * @param {string} text
   */
  const add = (className, text) => tr.append(make('td', { className }, text));
  tr.append(make('td', { className: 'what', title: item.label }, item.label));
  if (facts) {
    add('value', number(yOf(hit)));
    add('spread', facts.spread);
    const more = make('tr', { className: 'more' }, make('td'), make('td', { colSpan: 3 }, facts.more));
    return isNearest || count <= MAX_DETAILED ? [tr, more] : [tr];
  }
  if (bad >= 0) {
    add('value broken', `${flagsText(item.line.bad[bad])} ${badPosition(item, bad)}`);
    return [tr];
  }
  add('value', number(yOf(hit)));
  if (item.smoothed) add('spread', number(mid[at]));
  else if (lo[at] < hi[at]) add('spread', `${number(lo[at])} to ${number(hi[at])}`);
  return [tr];
}

/**
 * Where a value is not finite. A summary knows only where it begins; the statistics know the first of all exactly.
 *
 * @param {DrawnLine} item
 * @param {number} at
 */
function badPosition({ line, firstBad }, at) {
  const next = line.x[at + 1] ?? Infinity;
  if (line.exact) return `at ${whole(line.x[at])}`;
  const isFirst = firstBad !== null && firstBad >= line.x[at] && firstBad < next;
  return isFirst ? `at ${whole(firstBad)}` : `after ${whole(line.x[at])}`;
}

/**
 * The names of values that are not finite, of their flags.
 *
 * @param {number} flags
 */
export const flagsText = (flags) =>
  [flags & NAN && 'NaN', flags & PLUS && '∞', flags & MINUS && '−∞'].filter(Boolean).join(', ');

/**
 * @param {Chart} chart
 * @param {Hit[]} hits
 * @returns {Hit | null}
 */
function closestToPointer({ u }, hits) {
  const { top = 0 } = u.cursor;
  let closest = null;
  let distance = Infinity;
  for (const hit of hits) {
    const away = Math.abs(u.valToPos(yOf(hit), 'y') - top);
    if (away < distance) [closest, distance] = [hit, away];
  }
  return closest;
}

/**
 * @param {Chart} chart
 * @param {HTMLElement} element
 */
function placeBeside({ u }, element) {
  const box = u.over.getBoundingClientRect();
  const x = box.left + (u.cursor.left ?? 0);
  const isRight = x + 16 + element.offsetWidth < innerWidth;
  const left = isRight ? x + 16 : Math.max(4, x - 16 - element.offsetWidth);
  const top = Math.max(4, Math.min(box.top + 8, innerHeight - element.offsetHeight - 6));
  element.style.transform = `translate(${Math.round(left + scrollX)}px, ${Math.round(top + scrollY)}px)`;
}
