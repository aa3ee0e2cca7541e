// The smoothed curve of a chart.

/**
 * Exponential moving average with bias correction as in Adam: s = w s + (1 - w) y, shown as s / (1 - w^n), so that the
 * first values are not drawn towards zero. A value that is not finite leaves the average as it was.
 *
 * @param {number[]} values
 * @param {number} weight from 0 to below 1
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
