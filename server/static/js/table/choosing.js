// Choosing rows with the mouse: a click, with Ctrl, with Shift, on the swatch.
import { select, state, toggle } from '../data/store.js';
import { indexOfRow, sessionsBetween } from '../data/table_rows.js';

/** @type {string | null} the key of the row where a range begins: the one that was clicked last, without Shift */
let anchor = null;

/**
 * @param {Element} element
 * @returns {HTMLElement | null}
 */
export const rowOf = (element) => element.closest('tr[data-row]');

/**
 * Choose by a click in the table.
 *
 * @param {MouseEvent} event
 * @returns {string | null} the key of the row that was clicked
 */
export function clicked(event) {
  const target = /** @type {Element} */ (event.target);
  const row = rowOf(target);
  const { session: id, row: key } = row?.dataset ?? {};
  if (!row || !id || !key || target.closest('a, button')) return null;
  if (event.shiftKey && indexOfRow(anchor) >= 0) {
    if (target.closest('td.pick')) event.preventDefault(); // the swatch shows what is chosen, drawn below
    chooseRange(/** @type {string} */ (anchor), key);
    return key;
  }
  anchor = key;
  const selection = getSelection();
  const isCopying = selection?.type === 'Range' && row.contains(selection.anchorNode);
  if (target.closest('td.pick')) toggle(id);
  else if (isCopying) return null;
  else if (event.ctrlKey || event.metaKey) toggle(id);
  else select([id]);
  return key;
}

/**
 * Choose the sessions of all rows from one to another, beside those that are chosen.
 *
 * @param {string} from the row's key
 * @param {string} to
 */
export function chooseRange(from, to) {
  getSelection()?.removeAllRanges();
  const before = state.automatic ? [] : state.selected;
  select([...before, ...sessionsBetween(from, to)]);
}
