// The line of a group: its mean, and around it a band that shows how far its sessions are apart.
import { NAN, PLUS } from '../data/line.js';
import { smooth } from './smoothing.js';

/** @import { GroupColumns } from '../data/group_series_api.js' */
/** @import { Line } from '../data/line.js' */
/** @import { BandKind } from '../data/store.js' */

/** @type {[kind: BandKind, label: string][]} */
export const BANDS = [
  ['sd', '± standard deviation'],
  ['se', '± standard error'],
  ['minmax', 'min to max'],
  ['none', 'no band'],
];

/**
 * The line to draw. Where less than two sessions have a value there is no deviation, and the band has no height.
 *
 * @param {GroupColumns} columns
 * @param {BandKind} kind
 * @param {boolean} exact whether a bin is one step
 * @returns {Line}
 */
export function bandLine(columns, kind, exact) {
  const { x, nan, inf } = columns;
  const mid = columns.mean.map((value) => value ?? NaN);
  const bad = nan.map((count, at) => (count ? NAN : 0) | (inf[at] ? PLUS : 0));
  if (kind === 'none') return { exact, x, t: null, mid, lo: mid, hi: mid, bad };
  if (kind === 'minmax') {
    const [lo, hi] = [columns.min, columns.max].map((values) => values.map((value) => value ?? NaN));
    return { exact, x, t: null, mid, lo, hi, bad };
  }
  const off = mid.map((_, at) => deviation(columns, kind, at) ?? 0);
  return { exact, x, t: null, mid, lo: mid.map((y, at) => y - off[at]), hi: mid.map((y, at) => y + off[at]), bad };
}

/**
 * The line with a band around the smoothed mean: a mean that lags behind would leave its deviation. Extremes stay what
 * they are.
 *
 * @param {Line} line
 * @param {BandKind} kind
 * @param {number} weight of the moving average, 0 for none
 * @returns {Line}
 */
export function smoothBand(line, kind, weight) {
  if (!weight || (kind !== 'sd' && kind !== 'se')) return line;
  return { ...line, lo: smooth(line.lo, weight), hi: smooth(line.hi, weight) };
}

/**
 * The standard deviation, or the standard error: the deviation divided by the square root of the number of sessions.
 *
 * @param {GroupColumns} columns
 * @param {BandKind} kind
 * @param {number} at
 */
export function deviation({ sd, n }, kind, at) {
  const value = sd[at];
  return value !== null && kind === 'se' ? value / Math.sqrt(n[at]) : value;
}

/**
 * The positions of a group on the axis; null if it has none there, because its sessions share no clock and may differ in
 * the number of steps.
 *
 * @param {number[]} x
 * @param {import('../data/store.js').XMode} mode
 * @param {number | null} steps how many each session has; null if they differ
 */
export function groupPositions(x, mode, steps) {
  if (mode === 'step') return x;
  if (mode === 'percent' && steps) return x.map((step) => (100 * (step + 1)) / steps);
  return null;
}

/**
 * The window of steps that a range of the axis shows, with a tenth more on each side; null if there is none.
 *
 * @param {import('../data/store.js').Range} range
 * @param {import('../data/store.js').XMode} mode
 * @param {number | null} steps
 */
export function groupWindow({ min, max }, mode, steps) {
  if (mode !== 'step' && !(mode === 'percent' && steps)) return null;
  const [x0, x1] = mode === 'step' ? [min, max] : [min, max].map((share) => (share * (steps ?? 0)) / 100 - 1);
  const margin = Math.max(1, (x1 - x0) * 0.1);
  return { x0: Math.floor(x0 - margin), x1: Math.ceil(x1 + margin) };
}

/**
 * Why groups are not drawn on this axis.
 *
 * @param {import('../data/store.js').XMode} mode
 */
export const whyNot = (mode) =>
  mode === 'percent'
    ? 'The sessions of a group differ in their number of steps: choose Step to see its mean.'
    : 'The sessions of a group share no clock: choose Step to see its mean.';
