// The table's layout as a part of the address: columns in their order, each with marks.
//
//   tag,status,*params.lr:120,.loss/-elapsed/differing     *shown  -hidden  .pinned  :width in pixels
//
// What follows the first '/' has no place of its own in the order; the last word stands for `differing`. A mark is no
// letter, which every key begins with.

/**
 * How a person has laid out the table. Columns are named by their keys.
 *
 * @typedef {object} Layout
 * @property {Record<string, boolean>} shown where that is not as it is by default
 * @property {string[]} order those that have been moved, and all that were left of them
 * @property {Record<string, number>} widths in pixels
 * @property {string[]} pinned those that stay while the table is scrolled, besides the first two
 * @property {boolean} differing whether of all params those are shown that differ between the sessions, and no other
 */

/** @type {Layout} */
export const EMPTY = { shown: {}, order: [], widths: {}, pinned: [], differing: false };

const DIFFERING = 'differing';

const COLUMN = /^([*-]?)(\.?)(.*?)(?::(\d{1,4}))?$/s;

/**
 * @param {Layout} layout
 * @returns {string} '' for a table that nobody has laid out
 */
export function writeColumns(layout) {
  const { shown, order, widths, pinned } = layout;
  const others = [...Object.keys(shown), ...pinned, ...Object.keys(widths)].filter((key) => !order.includes(key));
  const parts = [order, [...new Set(others)]].map((keys) => keys.map((key) => column(key, layout)).join());
  if (layout.differing) parts.push(DIFFERING);
  return parts[1] || parts[2] ? parts.join('/') : parts[0];
}

/**
 * @param {string} key
 * @param {Layout} layout
 */
function column(key, { shown, widths, pinned }) {
  const mark = Object.hasOwn(shown, key) ? (shown[key] ? '*' : '-') : '';
  const width = Object.hasOwn(widths, key) ? `:${widths[key]}` : '';
  return `${mark}${pinned.includes(key) ? '.' : ''}${encodeURIComponent(key)}${width}`;
}

/**
 * @param {string} text
 * @returns {Layout}
 */
export function readColumns(text) {
  /** @type {Layout} */
  const layout = { shown: {}, order: [], widths: {}, pinned: [], differing: false };
  text.split('/').forEach((part, at) => {
    if (at === 2) layout.differing = part === DIFFERING;
    if (at > 1) return;
    for (const each of part.split(',').filter(Boolean)) {
      const [, mark, pin, name, width] = COLUMN.exec(each) ?? [];
      const key = decoded(name ?? '');
      if (!key) continue;
      if (mark) layout.shown[key] = mark === '*';
      if (pin) layout.pinned.push(key);
      if (width) layout.widths[key] = Number(width);
      if (at === 0) layout.order.push(key);
    }
  });
  return layout;
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return ''; // somebody has edited the address
  }
}
