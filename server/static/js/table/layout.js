// How a person has laid out the table: which columns, in which order, how wide, which stay at the left.

/** @import { Column } from './fixed_columns.js' */
/** @import { Layout } from '../data/column_address.js' */

export { EMPTY } from '../data/column_address.js';

export const MIN_WIDTH = 48;
export const MAX_WIDTH = 1000;
const FIRST = ['pick', 'tag'];

const GROUP_WIDTH = 226; // pixels: a mean, its deviation and the best

/**
 * The column with room for what a group has in it: mean, deviation and best. It has a width of its own, so that the plain
 * table keeps another.
 *
 * @param {Column} column
 * @param {Layout} layout
 * @returns {Column}
 */
export function widened(column, { widths }) {
  if (column.group !== 'statistics') return column;
  return {
    ...column,
    width: Math.max(widths[column.key] ?? column.width, GROUP_WIDTH),
    widthKey: `grouped ${column.key}`,
  };
}

/**
 * The columns in the person's order: the first two, those that are pinned, then the others. One that is not in the order,
 * since it is new, follows the one that precedes it by default.
 *
 * @param {Column[]} columns those that are shown, in their default order
 * @param {Layout} layout
 * @returns {Column[]}
 */
export function arranged(columns, { order, widths, pinned }) {
  const byKey = new Map(columns.map((column) => [column.key, column]));
  const sorted = order.flatMap((key) => byKey.get(key) ?? []);
  columns.forEach((column, at) => {
    if (sorted.includes(column)) return;
    const before = columns.slice(0, at).findLast((other) => sorted.includes(other));
    sorted.splice(before ? sorted.indexOf(before) + 1 : 0, 0, column);
  });
  const rank = (/** @type {Column} */ { key }) =>
    FIRST.includes(key) ? FIRST.indexOf(key) : pinned.includes(key) ? 2 : 3;
  return sorted
    .sort((/** @type {Column} */ a, /** @type {Column} */ b) => rank(a) - rank(b))
    .map((column) => ({
      ...column,
      width: widths[column.widthKey ?? column.key] ?? column.width,
      isPinned: rank(column) < 3,
    }));
}

/**
 * Move a column before another one, or to the end.
 *
 * @param {Layout} layout
 * @param {string[]} keys those that are shown, in their order
 * @param {string} key
 * @param {string | null} before
 * @returns {Layout}
 */
export function moved(layout, keys, key, before) {
  const order = keys.filter((other) => other !== key);
  order.splice(before === null ? order.length : order.indexOf(before), 0, key);
  const target = before === null ? order.at(-2) : before;
  // between pinned ones it is pinned, between others it is not
  const isPinned = target !== undefined && layout.pinned.includes(target);
  const pinned = layout.pinned.filter((other) => other !== key);
  return { ...layout, order, pinned: isPinned ? [...pinned, key] : pinned };
}

/**
 * @param {Layout} layout
 * @param {string} key of the column's width
 * @param {number | null} width null for the default
 * @returns {Layout}
 */
export function resized(layout, key, width) {
  const { [key]: _old, ...widths } = layout.widths;
  if (width !== null) widths[key] = Math.round(Math.min(MAX_WIDTH, Math.max(MIN_WIDTH, width)));
  return { ...layout, widths };
}

/**
 * @param {Layout} layout
 * @param {string} key
 * @param {boolean} isPinned
 * @returns {Layout}
 */
export const pinned = (layout, key, isPinned) => ({
  ...layout,
  pinned: isPinned ? [...layout.pinned, key] : layout.pinned.filter((other) => other !== key),
});

/** Whether a column can be moved, pinned and hidden. */
export const isMovable = (/** @type {string} */ key) => !FIRST.includes(key);
