// The horizontal axis: step, time since the start, clock time, or percent of the steps.
import { upperBound } from '../data/line.js';
import { duration, fineDuration, whole } from '../ui/format.js';
import { displayLine } from './display_line.js';

/** @import { Line } from '../data/line.js' */
/** @import { Session } from '../data/session.js' */
/** @import { Range, XMode } from '../data/store.js' */

/** @typedef {Pick<Session, 'created_at' | 'max_iter' | 'last_x'> | undefined} AxisSession what the axis needs to know */

/** @type {{id: XMode, label: string}[]} */
export const MODES = [
  { id: 'step', label: 'Step' },
  { id: 'elapsed', label: 'Elapsed' },
  { id: 'time', label: 'Time' },
  { id: 'percent', label: '%' },
];

const DAY_S = 86_400;
const FINE_SPAN_S = 20; // up to this width of the axis, times are shown in milliseconds
const TICK_SPACE = 50; // pixels
const CHARACTER_WIDTH = 6.6; // pixels

/**
 * The line's positions on the axis, or null if they are not known.
 *
 * @param {Line} line
 * @param {AxisSession} session
 * @param {XMode} mode
 */
export function positionsOf(line, session, mode) {
  if (mode === 'step') return line.x;
  if (mode === 'percent') {
    const steps = session?.max_iter ?? (session?.last_x ?? line.x.at(-1) ?? 0) + 1;
    return line.x.map((x) => (100 * (x + 1)) / steps);
  }
  const { t } = line;
  if (!t) return null;
  return mode === 'time' ? t : t.map((time) => time - (session?.created_at ?? t[0]));
}

/**
 * The window of steps that a range of the axis shows of a line, with a tenth more on each side; null if there is none.
 *
 * @param {Line} line
 * @param {AxisSession} session
 * @param {XMode} mode
 * @param {Range} range
 */
export function stepWindow(line, session, mode, { min, max }) {
  let [x0, x1] = [min, max];
  if (mode !== 'step') {
    const shown = displayLine(line, mode);
    const positions = positionsOf(shown, session, mode);
    if (!positions?.length) return null;
    const steps = shown.x.slice(Math.max(0, upperBound(positions, min) - 1), upperBound(positions, max) + 1);
    x0 = steps.reduce((a, b) => Math.min(a, b));
    x1 = steps.reduce((a, b) => Math.max(a, b));
  }
  const margin = Math.max(1, (x1 - x0) * 0.1);
  return { x0: Math.floor(x0 - margin), x1: Math.ceil(x1 + margin) };
}

/** @type {Intl.DateTimeFormatOptions} */
const CLOCK = { dateStyle: 'medium', timeStyle: 'medium' };
/** @type {Intl.DateTimeFormatOptions} */
const FINE_CLOCK = {
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
};

/**
 * A position in words, for the tooltip.
 *
 * @param {number} value
 * @param {XMode} mode
 * @param {string | null | undefined} label of the step axis
 * @param {number} span how much of the axis the chart shows
 */
export function positionText(value, mode, label, span) {
  const isFine = span < FINE_SPAN_S;
  if (mode === 'percent') return `${value.toFixed(1)} %`;
  if (mode === 'elapsed') return `after ${isFine ? fineDuration(value) : duration(value)}`;
  if (mode === 'time') return new Date(value * 1000).toLocaleString('en-GB', isFine ? FINE_CLOCK : CLOCK);
  return `${label || 'step'} ${whole(Math.round(value))}`;
}

const SECONDS = [
  0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600,
  900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 432000, 864000,
];
const STEPS = [1, 2, 5]
  .flatMap((digit) => Array.from({ length: 18 }, (_, power) => digit * 10 ** power))
  .sort((a, b) => a - b);

// uPlot's table: from this many seconds between ticks on, the label, and what is added below it where the year, month,
// day, hour, minute or second is another than at the tick before; 1 concatenates the two.
const [DATE, MINUTE] = ['\n{D} {MMM}', '\n{D} {MMM} {HH}:{mm}'];
const CLOCK_TICKS = [
  [28 * DAY_S, '{MMM}', '\n{YYYY}', null, null, null, null, null, 1],
  [DAY_S, '{D} {MMM}', '\n{YYYY}', null, null, null, null, null, 1],
  [60, '{HH}:{mm}', `${DATE} {YYYY}`, null, DATE, null, null, null, 1],
  [1, ':{ss}', MINUTE, null, MINUTE, null, '\n{HH}:{mm}', null, 1],
  [0.001, ':{ss}.{fff}', MINUTE, null, MINUTE, null, '\n{HH}:{mm}', null, 1],
];

/**
 * uPlot's options for the axis.
 *
 * @param {XMode} mode
 * @returns {Partial<uPlot.Axis>}
 */
export function axisOptions(mode) {
  if (mode === 'time') return { size: 38, values: CLOCK_TICKS };
  if (mode === 'elapsed')
    return {
      incrs: SECONDS,
      values: (_u, splits, _axis, _space, step) => splits.map((s) => (s === null ? '' : shortDuration(s, step))),
    };
  if (mode === 'percent')
    return { values: (_u, splits) => splits.map((s) => (s === null ? '' : `${Number(s.toFixed(4))}%`)) };
  return { incrs: STEPS, space: stepSpace, values: stepLabels };
}

/**
 * The space between ticks that their labels need: those of a short window far from zero are long.
 *
 * @param {uPlot} _u
 * @param {number} _axis
 * @param {number} min
 * @param {number} max
 * @param {number} width
 */
function stepSpace(_u, _axis, min, max, width) {
  const step = ((max - min) / width) * TICK_SPACE;
  const longest = Math.max(...[min, max].map((value) => shortNumber(Math.round(value), step).length));
  return Math.max(TICK_SPACE, longest * CHARACTER_WIDTH + 18);
}

/**
 * The ticks' labels. The last one is left out if the edge would cut it.
 *
 * @param {uPlot} u
 * @param {number[]} splits
 * @param {number} _axis
 * @param {number} _space
 * @param {number} step
 */
function stepLabels(u, splits, _axis, _space, step) {
  const room = u.width - (u.bbox.left + u.bbox.width) / devicePixelRatio;
  const right = u.bbox.width / devicePixelRatio;
  const { min = 0, max = 1 } = u.scales.x;
  return splits.map((value) => {
    if (value === null) return '';
    const text = shortNumber(value, step);
    const position = ((value - min) / (max - min)) * right;
    return splits.length > 1 && position + (text.length * CHARACTER_WIDTH) / 2 > right + room ? '' : text;
  });
}

/**
 * A duration as a tick's label: 1h30m, 250ms.
 *
 * @param {number} seconds
 * @param {number} [step] seconds between two ticks
 */
export function shortDuration(seconds, step = 1) {
  if (seconds === 0) return '0';
  const minutes = Math.floor(seconds / 60);
  if (step < 1) {
    if (Math.abs(seconds) < 1) return `${Number((seconds * 1000).toFixed(1))}ms`;
    const digits = decimals(step);
    return seconds < 60 ? `${seconds.toFixed(digits)}s` : `${minutes}m${(seconds % 60).toFixed(digits)}s`;
  }
  if (seconds % DAY_S === 0) return `${seconds / DAY_S}d`;
  if (seconds % 3600 === 0) return `${seconds / 3600}h`;
  if (seconds % 60 === 0)
    return seconds > 3600 ? `${Math.floor(seconds / 3600)}h${(seconds % 3600) / 60}m` : `${seconds / 60}m`;
  return seconds > 60 ? `${minutes}m${Number((seconds % 60).toFixed(1))}s` : `${Number(seconds.toFixed(2))}s`;
}

/**
 * How many decimals tell numbers apart that differ by `step`.
 *
 * @param {number} step
 */
const decimals = (step) => Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));

/** @type {[size: number, letter: string][]} */
const UNITS = [
  [1e12, 'T'],
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
];

/**
 * A number as a tick's label: 12.5k, or in full where numbers that differ by `step` would read the same.
 *
 * @param {number} value
 * @param {number} [step] between two ticks
 */
export function shortNumber(value, step = Infinity) {
  const size = Math.abs(value);
  for (const [unit, letter] of UNITS) {
    if (size >= unit) return decimals(step / unit) > 4 ? whole(value) : `${Number((value / unit).toFixed(4))}${letter}`;
  }
  return String(Number(value.toFixed(4)));
}
