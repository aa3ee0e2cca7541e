// The vertical axis: its range, and its numbers.
import { shortNumber } from './x_axis.js';

/** Where a log axis has its lines: 1, 2 and 5 of each power of ten, or the powers alone where they are many. */
export function logSplits(u, axis, min, max) {
  const [low, high] = [Math.floor(Math.log10(min)), Math.ceil(Math.log10(max))];
  const every = Math.max(1, Math.ceil((high - low) / 8));
  const places = [];
  for (let power = low; power <= high; power += every) {
    for (const digit of high - low > 3 ? [1] : [1, 2, 5]) {
      const value = Number(`${digit}e${power}`);
      if (value >= min && value <= max) places.push(value);
    }
  }
  return places.length > 1 ? places : [Number(min.toPrecision(2)), Number(max.toPrecision(2))];
}

/** Labels of uPlot's places on the axis, all with the same number of digits. */
export function yValues(u, splits, axis, space, step) {
  const shown = splits.filter((value) => value !== null);
  const size = Math.max(...shown.map(Math.abs));
  const log = u.scales.y.distr === 3;
  return splits.map((value) => {
    if (value === null) return '';
    if (value === 0) return '0';
    if (log)
      return Math.abs(value) >= 1e5 || Math.abs(value) < 1e-3
        ? exponent(value)
        : String(+value.toPrecision(6));
    if (size >= 1e4) return shortNumber(value);
    if (size < 1e-3) return exponent(value);
    return value.toFixed(digitsOf(step));
  });
}

// How many decimals a step has: 0.25 has two.
function digitsOf(step) {
  let digits = 0;
  while (digits < 8 && Math.abs(step - Number(step.toFixed(digits))) > step * 1e-6) digits += 1;
  return digits;
}

const exponent = (value) =>
  String(+value.toPrecision(3)).includes('e')
    ? String(+value.toPrecision(3))
    : (+value.toPrecision(3)).toExponential();

/** The range that holds what is in sight, with a little air; null where there is nothing finite. */
export function yRange(lines, [x0, x1], logY) {
  let min = Infinity;
  let max = -Infinity;
  for (const { places, line } of lines) {
    for (let at = 0; at < places.length; at += 1) {
      if (places[at] < x0 || places[at] > x1) continue;
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
    const air = Math.abs(min) * 0.1 || 0.5;
    return [min - air, max + air];
  }
  const air = (max - min) * 0.05;
  if (min >= 0 && min < max * 0.3) return [0, max + air];
  if (max <= 1 && min >= 0 && max > 0.9)
    return [min - air, Math.min(1, max + air) === 1 ? 1 + air / 5 : max + air];
  return [min - air, max + air];
}

/** The range of the horizontal axis that holds every place of the lines. */
export function xRange(lines) {
  let min = Infinity;
  let max = -Infinity;
  for (const { places } of lines) {
    if (!places.length) continue;
    if (places[0] < min) min = places[0];
    if (places.at(-1) > max) max = places.at(-1);
  }
  if (min > max) return null;
  return min === max ? [min - 1, max + 1] : [min, max];
}
