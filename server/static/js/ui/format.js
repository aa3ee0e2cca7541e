// Numbers, durations and times as text. Times are unix seconds, durations are seconds.

/** @typedef {number | null | undefined} Maybe a number that may be missing */

const NOTHING = '–';
const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const full = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeStyle: 'medium' });

/**
 * A whole number with separated thousands: 18,940.
 *
 * @param {Maybe} value
 */
export const whole = (value) => (value == null ? NOTHING : grouped.format(value));

/**
 * A whole number in few characters: 940, 18.9k, 2.4M.
 *
 * @param {number} value
 */
export const compact = (value) => short.format(value).replace('K', 'k');

/**
 * A measured value, with about as many digits each time it changes: 0.0871, 12.34, 3.10e-5, NaN.
 *
 * @param {Maybe | string} value a string is one of the values that JSON cannot hold, such as 'Infinity'
 */
export function number(value) {
  if (value == null) return NOTHING;
  if (typeof value === 'string') return special(value);
  if (!Number.isFinite(value)) return special(String(value));
  const size = Math.abs(value);
  if (size >= 1e9 || (size < 1e-3 && size > 0)) return value.toExponential(2).replace('e+', 'e');
  if (size >= 1000 || Number.isInteger(value)) return grouped.format(value + 0); // no -0
  return value.toFixed(size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 4);
}

/** @param {string} text */
const special = (text) => (text === 'Infinity' ? '∞' : text === '-Infinity' ? '−∞' : text);

/**
 * A value of any JSON type, in few characters: 3e-4, adam, true, {"a":1}.
 *
 * @param {unknown} value
 */
export function anything(value) {
  if (value == null) return NOTHING;
  if (typeof value === 'number' && !Number.isInteger(value)) {
    const plain = String(Number(value.toPrecision(6)));
    const short = Number(value.toPrecision(6)).toExponential();
    return plain.length <= 5 || plain.length <= short.length ? plain : short;
  }
  return typeof value === 'object' ? JSON.stringify(value) : special(String(value));
}

/**
 * A duration in up to two units: 12s, 4m 10s, 12m, 2h 11m, 3d 4h.
 *
 * @param {Maybe} seconds
 */
export function duration(seconds) {
  if (seconds == null || !Number.isFinite(seconds)) return NOTHING;
  const s = Math.max(0, Math.round(seconds));
  if (s < MINUTE) return `${s}s`;
  if (s < 10 * MINUTE) return `${Math.floor(s / MINUTE)}m ${s % MINUTE}s`;
  if (s < HOUR) return `${Math.floor(s / MINUTE)}m`;
  if (s < DAY) return `${Math.floor(s / HOUR)}h ${Math.floor((s % HOUR) / MINUTE)}m`;
  return `${Math.floor(s / DAY)}d ${Math.floor((s % DAY) / HOUR)}h`;
}

/**
 * A duration in milliseconds: 412ms, 1.250s, 4m 10.250s.
 *
 * @param {number} seconds
 */
export function fineDuration(seconds) {
  const ms = Math.round(seconds * 1000);
  if (Math.abs(ms) < 1000) return `${ms}ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(3)}s`;
  const minutes = Math.floor(ms / 60_000);
  const rest = `${minutes % 60}m ${((ms % 60_000) / 1000).toFixed(3)}s`;
  return minutes < 60 ? rest : `${Math.floor(minutes / 60)}h ${rest}`;
}

/**
 * A time of day: 09:12 if it is today, else 'yesterday 22:14' or '3 Nov 22:14'.
 *
 * @param {number} time
 * @param {number} now
 */
export function clockTime(time, now) {
  const date = new Date(time * 1000);
  const midnight = new Date(now * 1000);
  midnight.setHours(0, 0, 0, 0);
  const days = Math.ceil((midnight.getTime() - date.getTime()) / (1000 * DAY));
  if (days === 0) return clock.format(date);
  if (days === 1) return `yesterday ${clock.format(date)}`;
  return `${day.format(date)} ${clock.format(date)}`;
}

/**
 * A time relative to now: 'in 1h 17m', 'just now', '4 min ago', 'yesterday 22:14'.
 *
 * @param {Maybe} time
 * @param {number} now
 */
export function relativeTime(time, now) {
  if (time == null) return NOTHING;
  const ago = now - time;
  if (ago < -1) return `in ${duration(-ago)}`;
  if (ago < 45) return 'just now';
  if (ago < HOUR) return `${Math.max(1, Math.round(ago / MINUTE))} min ago`;
  if (ago < 6 * HOUR) return `${Math.floor(ago / HOUR)}h ${Math.floor((ago % HOUR) / MINUTE)}m ago`;
  return clockTime(time, now);
}

/**
 * Date and time in full, for tooltips; '' if there is no time.
 *
 * @param {Maybe} time
 */
export const exactTime = (time) => (time == null ? '' : full.format(new Date(time * 1000)));

/**
 * Shorten a name by cutting its middle, since names often differ at their ends.
 *
 * @param {string} text
 * @param {number} length characters to keep, the ellipsis included
 */
export function shorten(text, length) {
  const characters = [...text];
  if (characters.length <= length) return text;
  const tail = Math.floor((length - 1) * 0.4);
  return `${characters.slice(0, length - 1 - tail).join('')}…${characters.slice(-tail).join('')}`;
}
