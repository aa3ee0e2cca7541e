// The vertical axis and the ranges of both axes.
import { shortNumber } from './x_axis.js';

/** @import { DrawnLine } from './canvas.js' */

/**
 * The ticks of a log axis: 1, 2 and 5 of each power of ten, or only powers if there are many.
 *
 * @param {unknown} _u
 * @param {number} _axis
 * @param {number} min
 * @param {number} max
 */
export function logSplits(_u, _axis, min, max) {
  const [low, high] = [Math.floor(Math.log10(min)), Math.ceil(Math.log10(max))];
  const step = Math.max(1, Math.ceil((high - low) / 8));
  const ticks = [];
  for (let power = low; power <= high; power += step) {
    for (const digit of high - low > 3 ? [1] : [1, 2, 5]) {
      const value = Number(`${digit}e${power}`);
      if (value >= min && value <= max) ticks.push(value);
    }
  }
  return ticks.length > 1 ? ticks : [Number(min.toPrecision(2)), Number(max.toPrecision(2))];
}

/**
 * The ticks' labels, all with the same number of decimals.
 *
 * @param {{scales: Record<string, {distr?: number}>}} u
 * @param {(number | null)[]} splits null for a tick without a label
 * @param {number} _axis
 * @param {number} _space
 * @param {number} step between two ticks
 */
export function yLabels(u, splits, _axis, _space, step) {
  const isLog = u.scales.y.distr === 3;
  const size = Math.max(...splits.map((value) => Math.abs(value ?? 0)));
  return splits.map((value) => {
    if (value === null) return '';
    if (value === 0) return '0';
    if (isLog) {
      const isPlain = Math.abs(value) < 1e5 && Math.abs(value) >= 1e-3;
      return isPlain ? String(Number(value.toPrecision(6))) : exponent(value);
    }
    if (size >= 1e4) return shortNumber(value);
    if (size < 1e-3) return exponent(value);
    return value.toFixed(decimalsOf(step));
  });
}

/**
 * How many decimals a step has: 0.25 has two.
 *
 * @param {number} step
 */
function decimalsOf(step) {
  let digits = 0;
  while (digits < 8 && Math.abs(step - Number(step.toFixed(digits))) > step * 1e-6) digits += 1;
  return digits;
}

/** @param {number} value */
function exponent(value) {
  const rounded = Number(value.toPrecision(3));
  return String(rounded).includes('e') ? String(rounded) : rounded.toExponential();
}

/** @typedef {[min: number, max: number]} Extent */

/**
 * The range of the vertical axis for what is visible, with a small margin; null if nothing there is finite.
 *
 * @param {Pick<DrawnLine, 'positions' | 'line'>[]} lines
 * @param {Extent} x the visible range of the horizontal axis
 * @param {boolean} logY
 * @returns {Extent | null}
 */
export function yRange(lines, [x0, x1], logY) {
  let min = Infinity;
  let max = -Infinity;
  for (const { positions, line } of lines) {
    for (let at = 0; at < positions.length; at += 1) {
      if (positions[at] < x0 || positions[at] > x1) continue;
      const low = line.lo[at];
      const high = line.hi[at];
      if (high > max) max = high;
      if (logY ? low > 0 && low < min : low < min) min = low;
      if (logY && high > 0 && high < min) min = high;
    }
  }
  if (min > max) return null;
  if (logY) return min === max ? [min / 2, max * 2] : [min / (max / min) ** 0.04, max * (max / min) ** 0.04];
  if (min === max) {
    const margin = Math.abs(min) * 0.1 || 0.5;
    return [min - margin, max + margin];
  }
  const margin = (max - min) * 0.05;
  if (min >= 0 && min < max * 0.3) return [0, max + margin];
  // close to 1, as accuracies are: hardly more than 1
  if (max <= 1 && min >= 0 && max > 0.9)
    return [min - margin, Math.min(1, max + margin) === 1 ? 1 + margin / 5 : max + margin];
  return [min - margin, max + margin];
}

/**
 * The range of the horizontal axis that holds all positions of the lines; null if there are none.
 *
 * @param {Pick<DrawnLine, 'positions'>[]} lines
 * @returns {Extent | null}
 */
export function xRange(lines) {
  const ends = lines.flatMap(({ positions }) =>
    positions.length ? [positions[0], positions[positions.length - 1]] : [],
  );
  if (!ends.length) return null;
  const [min, max] = [Math.min(...ends), Math.max(...ends)];
  return min === max ? [min - 1, max + 1] : [min, max];
}
