// The table's layout as a part of the address: columns in their order, each with marks.
//
//   tag,status,*params.lr:120,.loss/-elapsed     *shown  -hidden  .pinned  :width in pixels
//
// What follows the '/' has no place of its own in the order. A mark is no letter, which every key begins with.

/**
 * How a person has laid out the table. Columns are named by their keys.
 *
 * @typedef {object} Layout
 * @property {Record<string, boolean>} shown where that is not as it is by default
 * @property {string[]} order those that have been moved, and all that were left of them
 * @property {Record<string, number>} widths in pixels
 * @property {string[]} pinned those that stay while the table is scrolled, besides the first two
 */

/** @type {Layout} */
export const EMPTY = { shown: {}, order: [], widths: {}, pinned: [] };

const COLUMN = /^([*-]?)(\.?)(.*?)(?::(\d{1,4}))?$/s;

/**
 * @param {Layout} layout
 * @returns {string} '' for a table that nobody has laid out
 */
export function writeColumns(layout) {
  const { shown, order, widths, pinned } = layout;
  const others = [...Object.keys(shown), ...pinned, ...Object.keys(widths)].filter((key) => !order.includes(key));
  const written = [order, [...new Set(others)]].map((keys) => keys.map((key) => column(key, layout)).join());
  return written[1] ? written.join('/') : written[0];
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
  const layout = { shown: {}, order: [], widths: {}, pinned: [] };
  text.split('/').forEach((part, at) => {
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
