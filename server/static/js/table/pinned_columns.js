// Columns that stay at the left while the table is scrolled.

/** @import { Column } from './fixed_columns.js' */

/**
 * Where each pinned column begins, in pixels from the left; null for the others.
 *
 * @param {Column[]} columns
 * @param {boolean} isNarrow whether there is room for the first two only
 */
export function leftEdges(columns, isNarrow) {
  let left = 0;
  return columns.map(({ isPinned, width }, at) => {
    if (!isPinned || (isNarrow && at > 1)) return null;
    left += width;
    return left - width;
  });
}

/**
 * @param {HTMLTableRowElement} row
 * @param {(number | null)[]} lefts
 */
export function pin(row, lefts) {
  lefts.forEach((left, at) => {
    row.cells[at].classList.toggle('pinned', left !== null);
    row.cells[at].style.left = left === null ? '' : `${left}px`;
  });
}
