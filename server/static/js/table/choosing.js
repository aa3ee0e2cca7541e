// Choosing rows with the mouse: a click, with Ctrl, with Shift, on the swatch.
import { list } from '../data/session_list.js';
import { select, state, toggle } from '../data/store.js';

/** @type {string | null} the row where a range begins: the one that was clicked last, without Shift */
let anchor = null;

/**
 * @param {Element} element
 * @returns {HTMLElement | null}
 */
export const rowAt = (element) => element.closest('tr[data-session]');

/**
 * Choose by a click in the table.
 *
 * @param {MouseEvent} event
 * @returns {string | null} the row that was clicked
 */
export function clicked(event) {
  const target = /** @type {Element} */ (event.target);
  const row = rowAt(target);
  const id = row?.dataset.session;
  if (!row || !id || target.closest('a, button')) return null;
  if (event.shiftKey && anchor !== null && list.ids.includes(anchor)) {
    if (target.closest('td.pick')) event.preventDefault(); // the swatch shows what is chosen, drawn below
    chooseRange(anchor, id);
    return id;
  }
  anchor = id;
  const selection = getSelection();
  const isCopying = selection?.type === 'Range' && row.contains(selection.anchorNode);
  if (target.closest('td.pick')) toggle(id);
  else if (isCopying) return null;
  else if (event.ctrlKey || event.metaKey) toggle(id);
  else select([id]);
  return id;
}

/**
 * Choose all rows from one to another, beside those that are chosen.
 *
 * @param {string} from
 * @param {string} to
 */
export function chooseRange(from, to) {
  const [first, last] = [list.ids.indexOf(from), list.ids.indexOf(to)].sort((a, b) => a - b);
  getSelection()?.removeAllRanges();
  const before = state.automatic ? [] : state.selected;
  select([...before, ...list.ids.slice(Math.max(0, first), last + 1)]);
}
