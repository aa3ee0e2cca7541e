// The table's rows of sessions.
import { list } from '../data/list_state.js';
import { isChosen, sessions } from '../data/store.js';
import { isGrouped } from '../data/table_rows.js';
import { make } from '../ui/dom.js';
import { bestIn } from './best_values.js';
import { cutTag } from './cells.js';
import { pin } from './pinned_columns.js';
import { NARROW, view } from './view.js';

/** @import { Session } from '../data/session.js' */
/** @import { Row } from '../data/table_rows.js' */
/** @import { Column } from './fixed_columns.js' */

const INDENT = 18; // pixels of a level, as in the style sheet; in a narrow window,
const NARROW_INDENT = 10;

/**
 * @param {Row} row
 * @returns {HTMLTableRowElement}
 */
export function updateSessionRow({ key, id, depth }) {
  const session = sessions.get(id);
  const row = view.rows.get(key) ?? createRow(key);
  row.dataset.session = id;
  const isSelected = String(isChosen(id));
  if (row.ariaSelected !== isSelected) row.ariaSelected = isSelected;
  row.classList.toggle('unmatched', !isGrouped() && list.unmatched.has(id));
  setDepth(row, depth);
  if (session) for (const [at, column] of view.columns.entries()) updateCell(row.cells[at], column, session, depth);
  return row;
}

/**
 * A new row with a cell for each column.
 *
 * @param {string} key
 */
export function createRow(key) {
  if (empty?.columns !== view.columns) empty = { columns: view.columns, row: emptyRow() };
  const row = /** @type {HTMLTableRowElement} */ (empty.row.cloneNode(true));
  row.dataset.row = key;
  view.rows.set(key, row);
  return row;
}

/** @type {{columns: Column[], row: HTMLTableRowElement} | null} a row of these columns, which is copied */
let empty = null;

function emptyRow() {
  const row = make('tr');
  for (const { right, dim } of view.columns)
    row.append(make('td', { className: [right && 'n', dim && 'dim'].filter(Boolean).join(' ') }));
  pin(row, view.lefts);
  return row;
}

/**
 * Say how many groups are around a row.
 *
 * @param {HTMLTableRowElement} row
 * @param {number} depth
 */
export function setDepth(row, depth) {
  const level = isGrouped() ? String(depth + 1) : null;
  if (row.ariaLevel === level) return;
  row.ariaLevel = level;
  row.style.setProperty('--depth', String(depth));
}

/**
 * @param {HTMLTableCellElement} td
 * @param {Column} column
 * @param {Session} session
 * @param {number} depth
 */
function updateCell(td, column, session, depth) {
  column.cell(td, session);
  if (column.key === 'tag') cutTag(td, view.tagWidth - depth * (innerWidth <= NARROW ? NARROW_INDENT : INDENT));
  if (column.value) {
    const value = column.value(session);
    td.classList.toggle('best', typeof value === 'number' && value === bestIn(column) && list.total > 1);
  }
}

/** Update the cells that change as time passes. */
export function updateTimes() {
  if (document.hidden) return;
  view.columns.forEach(({ ticks, cell }, at) => {
    if (!ticks) return;
    for (const row of view.rows.values()) {
      const session = sessions.get(row.dataset.session ?? '');
      if (session) cell(row.cells[at], session);
    }
  });
}
