// The columns of one line of a chart. Exact series and summaries have the same shape.

/** @import { Columns } from './api.js' */

/**
 * The flags of values that are not finite, which `Line.bad` holds.
 */
export const NAN = 1;
export const PLUS = 2;
export const MINUS = 4;

/**
 * @typedef {object} Line
 * @property {boolean} exact whether each index is one point and not a summary of many
 * @property {number[]} x the step; of a summary, that of its first point
 * @property {number[] | null} t the time, likewise
 * @property {number[]} mid the value, or the summary's mean; NaN where none is finite
 * @property {number[]} lo the summary's minimum; of exact series, the same array as `mid`
 * @property {number[]} hi the summary's maximum, likewise
 * @property {number[]} bad what is not finite there: a sum of flags
 */

/** @type {Record<string, number>} */
const FLAGS = { NaN: NAN, Infinity: PLUS, '-Infinity': MINUS };
/** @type {Record<number, string>} */
const TEXTS = { [NAN]: 'NaN', [PLUS]: 'Infinity', [MINUS]: '-Infinity' };

/** @param {unknown} y */
const flagsOf = (y) => FLAGS[String(y)] ?? 0;

/**
 * Make a line of a metric's columns as the server sends them.
 *
 * @param {Columns} columns
 * @param {boolean} exact
 * @returns {Line}
 */
export function lineFromColumns(columns, exact) {
  const { x, t = null } = columns;
  if (exact) {
    const { y = [] } = columns;
    const mid = y.map((value) => (typeof value === 'number' ? value : NaN));
    return { exact, x, t, mid, lo: mid, hi: mid, bad: y.map(flagsOf) };
  }
  const { mean = [], min = [], max = [], nan = [], inf = [] } = columns;
  /** @param {(number | null)[]} values */
  const withNaN = (values) => values.map((value) => value ?? NaN);
  const bad = nan.map((count, at) => (count ? NAN : 0) | (inf[at] ? PLUS : 0));
  return { exact, x, t, mid: withNaN(mean), lo: withNaN(min), hi: withNaN(max), bad };
}

/** @param {boolean} exact */
export const emptyLine = (exact) => lineFromColumns({ x: [], t: [] }, exact);

/**
 * Insert a point by its step, after those of the same step. At the end of a summarized line the point is a summary of
 * its own; before that it widens the summary that it falls into, whose mean stays as it was.
 *
 * @param {Line} line
 * @param {number} x
 * @param {number} t
 * @param {number | string | null} y
 * @returns {boolean} whether the line is now as the server would send it
 */
export function addPoint(line, x, t, y) {
  const value = typeof y === 'number' ? y : NaN;
  const end = line.x.length;
  const at = end && x < line.x[end - 1] ? upperBound(line.x, x) : end;
  if (!line.exact && at > 0 && at < end) {
    widen(line, at - 1, value, flagsOf(y));
    return false;
  }
  line.x.splice(at, 0, x);
  line.t?.splice(at, 0, t);
  line.bad.splice(at, 0, flagsOf(y));
  for (const values of line.exact ? [line.mid] : [line.mid, line.lo, line.hi]) values.splice(at, 0, value);
  return line.exact || at === end;
}

/**
 * @param {Line} line
 * @param {number} at
 * @param {number} value
 * @param {number} flags
 */
function widen(line, at, value, flags) {
  line.bad[at] |= flags;
  if (Number.isNaN(value)) return;
  // negated, because the summary's own values may be NaN
  if (!(line.lo[at] <= value)) line.lo[at] = value;
  if (!(line.hi[at] >= value)) line.hi[at] = value;
  if (Number.isNaN(line.mid[at])) line.mid[at] = value;
}

/**
 * The first index whose value is greater than `x`.
 *
 * @param {number[]} xs ascending
 * @param {number} x
 */
export function upperBound(xs, x) {
  let low = 0;
  let high = xs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (xs[middle] <= x) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The index of the value nearest to `x`, or -1 if there are none.
 *
 * @param {number[]} xs ascending
 * @param {number} x
 */
export function nearestIndex(xs, x) {
  const right = upperBound(xs, x);
  if (right === 0) return xs.length ? 0 : -1;
  if (right === xs.length) return right - 1;
  return x - xs[right - 1] <= xs[right] - x ? right - 1 : right;
}

/**
 * The line in the format of the read API, so that what is drawn can be compared with what is stored.
 *
 * @param {Line} line
 */
export function toColumns(line) {
  /** @param {number} value */
  const finite = (value) => (Number.isNaN(value) ? null : value);
  const x = [...line.x];
  if (line.exact) return { x, y: line.mid.map((value, at) => TEXTS[line.bad[at]] ?? finite(value)) };
  const [min, max, mean] = [line.lo, line.hi, line.mid].map((values) => values.map(finite));
  return { x, min, max, mean, bad: [...line.bad] };
}
