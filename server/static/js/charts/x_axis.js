// The horizontal axis: step, time since the start, clock time, or part of the whole.
import { after } from '../data/line.js';
import { sessions } from '../data/store.js';
import { duration, fine, whole } from '../ui/format.js';
import { drawnOf } from './display_line.js';

export const MODES = [
  { id: 'step', label: 'Step' },
  { id: 'elapsed', label: 'Elapsed' },
  { id: 'time', label: 'Time' },
  { id: 'percent', label: '%' },
];

/** The places of a line on the axis, or null where they are not known. */
export function placesOf(line, sessionId, mode) {
  const session = sessions.get(sessionId);
  if (mode === 'step') return line.x;
  if (mode === 'percent') {
    const steps = session?.max_iter ?? (session?.last_x ?? line.x.at(-1) ?? 0) + 1;
    return line.x.map((x) => (100 * (x + 1)) / steps);
  }
  if (!line.t) return null;
  return mode === 'time' ? line.t : line.t.map((t) => t - (session?.created_at ?? line.t[0]));
}

/** The window of steps that a range of the axis shows of a line, with a tenth more on each side. */
export function windowOf(line, sessionId, mode, { min, max }) {
  let [x0, x1] = [min, max];
  if (mode !== 'step') {
    const drawn = drawnOf(line, mode);
    const places = placesOf(drawn, sessionId, mode);
    if (!places?.length) return null;
    const steps = drawn.x.slice(Math.max(0, after(places, min) - 1), after(places, max) + 1);
    x0 = steps.reduce((least, x) => Math.min(least, x));
    x1 = steps.reduce((most, x) => Math.max(most, x));
  }
  const spare = Math.max(1, (x1 - x0) * 0.1);
  return { x0: Math.floor(x0 - spare), x1: Math.ceil(x1 + spare) };
}

/** A place in words, for the tooltip; with milliseconds in a chart that shows a short span of the axis. */
export function placeText(value, mode, label, span) {
  const isFine = span < FINE;
  if (mode === 'percent') return `${value.toFixed(1)} %`;
  if (mode === 'elapsed') return `after ${isFine ? fine(value) : duration(value)}`;
  if (mode === 'time') return new Date(value * 1000).toLocaleString('en-GB', isFine ? FINE_CLOCK : CLOCK);
  return `${label || 'step'} ${whole(Math.round(value))}`;
}

const FINE = 20; // seconds
const CLOCK = { dateStyle: 'medium', timeStyle: 'medium' };
const FINE_CLOCK = {
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
};

const SECONDS = [
  0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300,
  600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 432000, 864000,
];
const TICK_SPACE = 50;
const LETTER = 6.6; // pixels
const STEPS = [1, 2, 5]
  .flatMap((m) => Array.from({ length: 18 }, (_, e) => m * 10 ** e))
  .sort((a, b) => a - b);

// uPlot's table: from this many seconds between ticks on, the label, and what is added below it where the year, month,
// day, hour, minute or second is another than at the tick before; 1 puts the two together.
const [DATE, MINUTE] = ['\n{D} {MMM}', '\n{D} {MMM} {HH}:{mm}'];
const CLOCK_TICKS = [
  [28 * 86400, '{MMM}', '\n{YYYY}', null, null, null, null, null, 1],
  [86400, '{D} {MMM}', '\n{YYYY}', null, null, null, null, null, 1],
  [60, '{HH}:{mm}', `${DATE} {YYYY}`, null, DATE, null, null, null, 1],
  [1, ':{ss}', MINUTE, null, MINUTE, null, '\n{HH}:{mm}', null, 1],
  [0.001, ':{ss}.{fff}', MINUTE, null, MINUTE, null, '\n{HH}:{mm}', null, 1],
];

/** uPlot's settings for the axis. */
export function axisOptions(mode) {
  if (mode === 'time') return { size: 38, values: CLOCK_TICKS };
  if (mode === 'elapsed')
    return {
      incrs: SECONDS,
      values: (u, splits, axis, space, every) =>
        splits.map((s) => (s === null ? '' : shortDuration(s, every))),
    };
  if (mode === 'percent')
    return { values: (u, splits) => splits.map((s) => (s === null ? '' : `${+s.toFixed(4)}%`)) };
  return { incrs: STEPS, space: stepSpace, values: stepLabels };
}

// As far apart as their labels need: those of a short window far from zero are long.
function stepSpace(u, axis, min, max, width) {
  const every = ((max - min) / width) * TICK_SPACE;
  const longest = Math.max(...[min, max].map((value) => shortNumber(Math.round(value), every).length));
  return Math.max(TICK_SPACE, longest * LETTER + 18);
}

// The last one is left out where it would be cut by the edge.
function stepLabels(u, splits, axis, space, every) {
  const room = u.width - (u.bbox.left + u.bbox.width) / devicePixelRatio;
  const right = u.bbox.width / devicePixelRatio;
  const { min, max } = u.scales.x;
  return splits.map((value) => {
    if (value === null) return '';
    const text = shortNumber(value, every);
    const place = ((value - min) / (max - min)) * right;
    return splits.length > 1 && place + (text.length * LETTER) / 2 > right + room ? '' : text;
  });
}

/** A tick's label where there is one each `every` seconds. */
export function shortDuration(seconds, every = 1) {
  if (seconds === 0) return '0';
  if (every < 1) {
    if (Math.abs(seconds) < 1) return `${+(seconds * 1000).toFixed(1)}ms`;
    const digits = decimals(every);
    return seconds < 60
      ? `${seconds.toFixed(digits)}s`
      : `${Math.floor(seconds / 60)}m${(seconds % 60).toFixed(digits)}s`;
  }
  if (seconds % 86400 === 0) return `${seconds / 86400}d`;
  if (seconds % 3600 === 0) return `${seconds / 3600}h`;
  if (seconds % 60 === 0)
    return seconds > 3600 ? `${Math.floor(seconds / 3600)}h${(seconds % 3600) / 60}m` : `${seconds / 60}m`;
  return seconds > 60
    ? `${Math.floor(seconds / 60)}m${+(seconds % 60).toFixed(1)}s`
    : `${+seconds.toFixed(2)}s`;
}

// How many decimals tell numbers apart that differ by `every`.
const decimals = (every) => Math.max(0, Math.ceil(-Math.log10(every) - 1e-9));

/** 12.5k; in full, 1,795,743,817,000, where numbers `every` apart would read the same. */
export function shortNumber(value, every = Infinity) {
  const size = Math.abs(value);
  for (const [unit, letter] of [
    [1e12, 'T'],
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ]) {
    if (size >= unit)
      return decimals(every / unit) > 4 ? whole(value) : `${+(value / unit).toFixed(4)}${letter}`;
  }
  return String(+value.toFixed(4));
}
