// The line that is drawn of a line, on an axis: the same columns in the axis' order, and where a session repeats its
// steps, each epoch say, one place a step with a band between the step's extremes, as summaries have it.

/** The line to draw in a mode of the axis; the same where nothing is to be changed. */
export function drawnOf(line, mode) {
  if (mode === 'elapsed' || mode === 'time') return inOrderOfTime(line);
  return line.exact ? gathered(line) : line;
}

/** Whether each place of the line has extremes of its own. */
export const isBanded = (line) => line.lo !== line.mid;

function inOrderOfTime(line) {
  const { t } = line;
  if (!t || t.every((time, at) => at === 0 || time >= t[at - 1])) return line;
  const order = t.map((_, at) => at).sort((a, b) => t[a] - t[b] || a - b);
  const put = (values) => order.map((at) => values[at]);
  const mid = put(line.mid);
  const [lo, hi] = isBanded(line) ? [put(line.lo), put(line.hi)] : [mid, mid];
  return { exact: line.exact, x: put(line.x), t: put(t), mid, lo, hi, bad: put(line.bad) };
}

/**
 * Points that share a step become one place where a neighbouring step is shared too. A step that alone has two points
 * (a value written twice) keeps both, one above the other.
 */
function gathered(line) {
  const { x } = line;
  const starts = []; // where each step's points begin
  for (let at = 0; at < x.length; at += 1) if (at === 0 || x[at] !== x[at - 1]) starts.push(at);
  if (starts.length === x.length) return line;
  const shares = starts.map((start, n) => (starts[n + 1] ?? x.length) - start > 1);
  if (!shares.some((shared, n) => shared && shares[n + 1])) return line;
  const made = { exact: true, x: [], t: line.t && [], mid: [], lo: [], hi: [], bad: [] };
  starts.forEach((start, n) => {
    const end = starts[n + 1] ?? x.length;
    if (shares[n] && (shares[n - 1] || shares[n + 1])) return add(made, line, start, end);
    for (let at = start; at < end; at += 1) add(made, line, at, at + 1);
  });
  return made;
}

function add(made, line, start, end) {
  let [sum, count, lo, hi, bad] = [0, 0, Infinity, -Infinity, 0];
  for (let at = start; at < end; at += 1) {
    const value = line.mid[at];
    bad |= line.bad[at];
    if (Number.isNaN(value)) continue;
    sum += value;
    count += 1;
    if (value < lo) lo = value;
    if (value > hi) hi = value;
  }
  made.x.push(line.x[start]);
  made.t?.push(line.t[start]);
  made.mid.push(count ? Math.min(hi, Math.max(lo, sum / count)) : NaN);
  made.lo.push(count ? lo : NaN);
  made.hi.push(count ? hi : NaN);
  made.bad.push(bad);
}
