// The line to draw on an axis: the same columns in the axis' order. Where a session repeats its steps, each epoch say,
// each step becomes one position with a band between its extremes, as in summaries.

/** @import { Line } from '../data/line.js' */
/** @import { XMode } from '../data/store.js' */

/**
 * The line to draw; the same object if nothing changes.
 *
 * @param {Line} line
 * @param {XMode} mode
 * @returns {Line}
 */
export function displayLine(line, mode) {
  if (mode === 'elapsed' || mode === 'time') return sortByTime(line);
  return line.exact ? mergeRepeatedSteps(line) : line;
}

/**
 * Whether the line has extremes beside its values.
 *
 * @param {Line} line
 */
export const hasBand = (line) => line.lo !== line.mid;

/**
 * @param {Line} line
 * @returns {Line}
 */
function sortByTime(line) {
  const { t } = line;
  if (!t || t.every((time, at) => at === 0 || time >= t[at - 1])) return line;
  const order = t.map((_, at) => at).sort((a, b) => t[a] - t[b] || a - b);
  /** @param {number[]} values */
  const sorted = (values) => order.map((at) => values[at]);
  const mid = sorted(line.mid);
  const [lo, hi] = hasBand(line) ? [sorted(line.lo), sorted(line.hi)] : [mid, mid];
  return { exact: line.exact, x: sorted(line.x), t: sorted(t), mid, lo, hi, bad: sorted(line.bad) };
}

/**
 * Merge points that share a step, if a neighboring step is shared as well. A single step with two points, a value
 * written twice, keeps both.
 *
 * @param {Line} line
 * @returns {Line}
 */
function mergeRepeatedSteps(line) {
  const { x } = line;
  const starts = x.flatMap((step, at) => (at === 0 || step !== x[at - 1] ? [at] : [])); // of each step's points
  if (starts.length === x.length) return line;
  /** @param {number} n */
  const endOf = (n) => starts[n + 1] ?? x.length;
  const isShared = starts.map((start, n) => endOf(n) - start > 1);
  if (!isShared.some((shared, n) => shared && isShared[n + 1])) return line;
  /** @type {Line} */
  const merged = { exact: true, x: [], t: line.t && [], mid: [], lo: [], hi: [], bad: [] };
  starts.forEach((start, n) => {
    if (isShared[n] && (isShared[n - 1] || isShared[n + 1])) addMerged(merged, line, start, endOf(n));
    else for (let at = start; at < endOf(n); at += 1) addMerged(merged, line, at, at + 1);
  });
  return merged;
}

/**
 * Add the points of `line` from `start` to before `end` as one: their mean and extremes.
 *
 * @param {Line} merged
 * @param {Line} line
 * @param {number} start
 * @param {number} end
 */
function addMerged(merged, line, start, end) {
  let [sum, count, lo, hi, bad] = [0, 0, Infinity, -Infinity, 0];
  for (let at = start; at < end; at += 1) {
    const value = line.mid[at];
    bad |= line.bad[at];
    if (Number.isNaN(value)) continue;
    sum += value;
    count += 1;
    lo = Math.min(lo, value);
    hi = Math.max(hi, value);
  }
  merged.x.push(line.x[start]);
  if (line.t) merged.t?.push(line.t[start]);
  merged.mid.push(count ? Math.min(hi, Math.max(lo, sum / count)) : NaN); // rounding can leave the extremes
  merged.lo.push(count ? lo : NaN);
  merged.hi.push(count ? hi : NaN);
  merged.bad.push(bad);
}
