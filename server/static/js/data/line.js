// The columns of one drawn line. Exact series and summaries become the same shape:
//   x, t    step and time of each place (a summary's: of the bucket's first point)
//   mid     the value, or the bucket's mean; NaN where there is no finite one
//   lo, hi  the bucket's extremes; for exact series the same array as mid
//   bad     what was not finite there: 0 nothing, else the sum of the flags below
export const NAN = 1;
export const PLUS = 2;
export const MINUS = 4;

const FLAGS = { NaN: NAN, Infinity: PLUS, '-Infinity': MINUS };
const TEXTS = { [NAN]: 'NaN', [PLUS]: 'Infinity', [MINUS]: '-Infinity' };

/** A line from what the server's series answer holds for one name. */
export function lineFrom(columns, exact) {
  const line = { exact, x: columns.x, t: columns.t ?? null, mid: [], bad: [] };
  if (exact) {
    for (const y of columns.y) addValue(line, y);
    line.lo = line.hi = line.mid;
    return line;
  }
  line.mid = columns.mean.map((value) => value ?? NaN);
  line.lo = columns.min.map((value) => value ?? NaN);
  line.hi = columns.max.map((value) => value ?? NaN);
  line.bad = columns.nan.map((count, at) => (count ? NAN : 0) | (columns.inf[at] ? PLUS : 0));
  return line;
}

export const emptyLine = (exact) =>
  lineFrom(
    exact ? { x: [], t: [], y: [] } : { x: [], t: [], mean: [], min: [], max: [], nan: [], inf: [] },
    exact,
  );

function addValue(line, y) {
  line.mid.push(typeof y === 'number' ? y : NaN);
  line.bad.push(FLAGS[y] ?? 0);
}

/**
 * Add a point where its step belongs, after those of the same step. A point at a summary's end is a bucket; one that
 * comes later than that widens the bucket that it lies in, whose mean it leaves as it was.
 * Returns whether the line is now what the server would say.
 */
export function addPoint(line, x, t, y) {
  const value = typeof y === 'number' ? y : NaN;
  const end = line.x.length;
  const at = end && x < line.x[end - 1] ? after(line.x, x) : end;
  if (!line.exact && at > 0 && at < end) {
    widen(line, at - 1, value, FLAGS[y] ?? 0);
    return false;
  }
  const arrays = line.exact ? [line.mid] : [line.mid, line.lo, line.hi];
  if (at === end) {
    line.x.push(x);
    line.t?.push(t);
    line.bad.push(FLAGS[y] ?? 0);
    for (const array of arrays) array.push(value);
    return true;
  }
  line.x.splice(at, 0, x);
  line.t?.splice(at, 0, t);
  line.bad.splice(at, 0, FLAGS[y] ?? 0);
  for (const array of arrays) array.splice(at, 0, value);
  return line.exact;
}

function widen(line, at, value, flags) {
  line.bad[at] |= flags;
  if (Number.isNaN(value)) return;
  if (!(line.lo[at] <= value)) line.lo[at] = value;
  if (!(line.hi[at] >= value)) line.hi[at] = value;
  if (Number.isNaN(line.mid[at])) line.mid[at] = value;
}

/** The first place whose x is greater. */
export function after(xs, x) {
  let low = 0;
  let high = xs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (xs[middle] <= x) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The place whose x is nearest, or -1 for no place. */
export function nearest(xs, x) {
  const right = after(xs, x);
  if (right === 0) return xs.length ? 0 : -1;
  if (right === xs.length) return right - 1;
  return x - xs[right - 1] <= xs[right] - x ? right - 1 : right;
}

/** The line in the words of the read API, so that what is drawn can be compared with what is stored. */
export function wire(line) {
  if (line.exact)
    return {
      x: [...line.x],
      y: line.mid.map((value, at) => TEXTS[line.bad[at]] ?? (Number.isNaN(value) ? null : value)),
    };
  const finite = (value) => (Number.isNaN(value) ? null : value);
  return {
    x: [...line.x],
    min: line.lo.map(finite),
    max: line.hi.map(finite),
    mean: line.mid.map(finite),
    bad: [...line.bad],
  };
}

/**
 * Exponential moving average, corrected for its start as in Adam: s = w s + (1 - w) y, shown as s / (1 - w^n), so
 * the first values are not drawn towards zero. A value that is not finite leaves the average as it was.
 */
export function smooth(values, weight) {
  const result = new Array(values.length);
  let sum = 0;
  let left = 1;
  for (let at = 0; at < values.length; at += 1) {
    const value = values[at];
    if (Number.isFinite(value)) {
      sum = weight * sum + (1 - weight) * value;
      left *= weight;
      result[at] = sum / (1 - left);
    } else {
      result[at] = NaN;
    }
  }
  return result;
}
