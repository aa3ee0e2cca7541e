// The menus of the table's rows: those of sessions, and those of groups.
import { indexOfRow, rowAt } from '../data/table_rows.js';
import { rowOf } from './choosing.js';
import { view } from './view.js';

/** @param {MouseEvent} event */
export function openedMenu(event) {
  const target = /** @type {Element} */ (event.target);
  const key = rowOf(target)?.dataset.row;
  if (!key || target.closest('a') || getSelection()?.type === 'Range') return; // the browser's own menu
  event.preventDefault();
  openRowMenu(key, { x: event.clientX, y: event.clientY });
}

/**
 * Open the menu of a row, by default below its name.
 *
 * @param {string} key
 * @param {{x: number, y: number}} [at] of the window, in pixels
 */
export async function openRowMenu(key, at) {
  const row = rowAt(indexOfRow(key));
  const box = view.rows.get(key)?.querySelector('.tag')?.getBoundingClientRect();
  const place = at ?? { x: box?.left ?? 0, y: box?.bottom ?? 0 };
  if (row?.kind === 'session') (await import('../rows/row_menu.js')).open(row.id, place);
  else if (row?.node) (await import('./group_actions.js')).open(row.node, place);
}

/** Open the menu of the row that keys act on. */
export function openFocusedMenu() {
  if (view.focused !== null) openRowMenu(view.focused);
}
