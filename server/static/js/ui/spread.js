// A mean and its standard deviation as text, with as many digits as the deviation makes sense of.
import { number } from './format.js';

const MAX_DECIMALS = 6;
const LARGEST = 1e9;
const grouped = new Map(
  Array.from({ length: MAX_DECIMALS + 1 }, (_, digits) => [
    digits,
    new Intl.NumberFormat('en', { minimumFractionDigits: digits, maximumFractionDigits: digits }),
  ]),
);

/**
 * The deviation has two significant digits, the mean as many decimals: 0.0871 ± 0.0043, 12,340 ± 120.
 *
 * @param {number} mean
 * @param {number | null} sd null if there is one value only
 * @returns {[mean: string, sd: string]} the second is '' if there is none
 */
export function spread(mean, sd) {
  if (sd === null) return [number(mean), ''];
  if (sd === 0) return [number(mean), '0'];
  const decimals = Math.max(0, 1 - Math.floor(Math.log10(sd)));
  const format = grouped.get(decimals);
  if (!format || Math.abs(mean) >= LARGEST || sd >= LARGEST) return [number(mean), number(sd)];
  const [text, size] = [format.format(mean + 0), format.format(sd)];
  return [Number(mean.toFixed(decimals)) === 0 ? text.replace('-', '') : text, size];
}
