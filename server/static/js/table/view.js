// What the modules of the table share: its columns and rows as they are drawn, and the row that keys act on.
import { indexOfRow, rowAt, rowCount } from '../data/table_rows.js';

/** @import { Column } from './fixed_columns.js' */

export const ROW_HEIGHT = 30;
export const NARROW = 700; // pixels of a narrow window

export const view = {
  /** @type {Column[]} */
  columns: [],
  /** @type {(number | null)[]} left edges of pinned columns */
  lefts: [],
  tagWidth: 0,
  /** @type {Map<string, HTMLTableRowElement>} by the row's key */
  rows: new Map(),
  /** @type {string | null} the row that keys act on */
  focused: null,
  /** Its place among the rows. */
  focusedAt: 0,
};

/** If the row that keys act on has left, the one that has taken its place follows. */
export function keepFocus() {
  if (view.focused === null) return;
  const at = indexOfRow(view.focused);
  if (at >= 0) view.focusedAt = at;
  else view.focused = rowAt(Math.min(view.focusedAt, rowCount() - 1))?.key ?? null;
}

/** The row that keys act on, or undefined. */
export const focusedRow = () => rowAt(indexOfRow(view.focused));
