// Numbers, durations and times as words. Times are unix seconds, as everywhere in Losswise.
const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const full = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeStyle: 'medium' });

/** A whole number with its thousands apart: 18,940. */
export const whole = (value) => (value == null ? '–' : grouped.format(value));

/** A measured value, with as many digits from one moment to the next: 0.0871, 12.34, 3.1e-5, NaN. */
export function number(value) {
  if (value == null) return '–';
  if (typeof value === 'string') return special(value);
  if (!Number.isFinite(value)) return special(String(value));
  const size = Math.abs(value);
  if (size >= 1e9 || (size < 1e-3 && size > 0)) return value.toExponential(2);
  if (Number.isInteger(value)) return grouped.format(value);
  if (size >= 1000) return grouped.format(value);
  return value.toFixed(size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 4);
}

const special = (text) => ({ Infinity: '∞', '-Infinity': '−∞' })[text] ?? text;

/** A param or a table value of any JSON type, in the fewest characters: 3e-4, adam, true, {"a":1}. */
export function anything(value) {
  if (value == null) return '–';
  if (typeof value === 'number' && !Number.isInteger(value)) {
    const plain = String(Number(value.toPrecision(6)));
    const short = Number(value.toPrecision(6)).toExponential();
    return plain.length <= 5 || plain.length <= short.length ? plain : short;
  }
  return typeof value === 'object' ? JSON.stringify(value) : special(String(value));
}

/** Seconds in two units: 12s, 4m 10s, 2h 11m, 3d 4h. */
export function duration(seconds) {
  if (seconds == null || !Number.isFinite(seconds)) return '–';
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s}s`;
  if (s < 600) return `${Math.floor(s / 60)}m ${s % 60}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m`;
  if (s < 86400) return `${Math.floor(s / 3600)}h ${Math.floor((s % 3600) / 60)}m`;
  return `${Math.floor(s / 86400)}d ${Math.floor((s % 86400) / 3600)}h`;
}

/** Seconds to a thousandth: 412ms, 1.250s, 4m 10.250s. */
export function fine(seconds) {
  const ms = Math.round(seconds * 1000);
  if (Math.abs(ms) < 1000) return `${ms}ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(3)}s`;
  const minutes = Math.floor(ms / 60_000);
  const rest = `${minutes % 60}m ${((ms % 60_000) / 1000).toFixed(3)}s`;
  return minutes < 60 ? rest : `${Math.floor(minutes / 60)}h ${rest}`;
}

/** 09:12 today, 'yesterday 22:14', '3 Nov 22:14' before that. */
export function clockTime(time, now) {
  const date = new Date(time * 1000);
  const midnight = new Date(now * 1000);
  midnight.setHours(0, 0, 0, 0);
  const days = Math.ceil((midnight - date) / 864e5);
  if (days === 0) return clock.format(date);
  if (days === 1) return `yesterday ${clock.format(date)}`;
  return `${day.format(date)} ${clock.format(date)}`;
}

/** In words, from now: 'in 1h 17m', 'just now', '4 min ago', 'yesterday 22:14'. */
export function relativeTime(time, now) {
  if (time == null) return '–';
  const ago = now - time;
  if (ago < -1) return `in ${duration(-ago)}`;
  if (ago < 45) return 'just now';
  if (ago < 3600) return `${Math.max(1, Math.round(ago / 60))} min ago`;
  if (ago < 6 * 3600) return `${Math.floor(ago / 3600)}h ${Math.floor((ago % 3600) / 60)}m ago`;
  return clockTime(time, now);
}

export const exactTime = (time) => (time == null ? '' : full.format(new Date(time * 1000)));

/** A long name with its middle cut out, which keeps the ends that tell names apart. */
export function middle(text, most) {
  const letters = [...text];
  if (letters.length <= most) return text;
  const tail = Math.floor((most - 1) * 0.4);
  return letters.slice(0, most - 1 - tail).join('') + '…' + letters.slice(-tail).join('');
}

