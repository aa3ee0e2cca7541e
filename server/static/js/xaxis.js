// The horizontal axis: step, time since the start, clock time, or part of the whole.
import { drawnOf } from './drawn.js';
import { after } from './lines.js';
import { duration, whole } from './format.js';
import { sessions } from './state.js';

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

/** A place in words, for the tooltip. */
export function placeText(value, mode, label) {
  if (mode === 'percent') return `${value.toFixed(1)} %`;
  if (mode === 'elapsed') return `after ${duration(value)}`;
  if (mode === 'time')
    return new Date(value * 1000).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });
  return `${label || 'step'} ${whole(Math.round(value))}`;
}

const SECONDS = [
  0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800,
  432000, 864000,
];
const STEPS = [1, 2, 5]
  .flatMap((m) => Array.from({ length: 18 }, (_, e) => m * 10 ** e))
  .sort((a, b) => a - b);

/** uPlot's settings for the axis. */
export function axisOptions(mode) {
  if (mode === 'time') return {};
  if (mode === 'elapsed')
    return { incrs: SECONDS, values: (u, splits) => splits.map((s) => (s === null ? '' : shortDuration(s))) };
  if (mode === 'percent')
    return { values: (u, splits) => splits.map((s) => (s === null ? '' : `${+s.toFixed(4)}%`)) };
  return { incrs: STEPS, values: (u, splits) => splits.map((s) => (s === null ? '' : shortNumber(s))) };
}

export function shortDuration(seconds) {
  if (seconds === 0) return '0';
  if (seconds % 86400 === 0) return `${seconds / 86400}d`;
  if (seconds % 3600 === 0) return `${seconds / 3600}h`;
  if (seconds % 60 === 0)
    return seconds > 3600 ? `${Math.floor(seconds / 3600)}h${(seconds % 3600) / 60}m` : `${seconds / 60}m`;
  return seconds > 60
    ? `${Math.floor(seconds / 60)}m${+(seconds % 60).toFixed(1)}s`
    : `${+seconds.toFixed(2)}s`;
}

export function shortNumber(value) {
  const size = Math.abs(value);
  for (const [unit, letter] of [
    [1e12, 'T'],
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ]) {
    if (size >= unit) return `${+(value / unit).toFixed(4)}${letter}`;
  }
  return String(+value.toFixed(4));
}
