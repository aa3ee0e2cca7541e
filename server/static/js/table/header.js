// The cells of the table's head: a column's label, and the button that sorts by it.
import { setQuery, state } from '../data/store.js';
import { make } from '../ui/dom.js';

/** @import { Column } from './fixed_columns.js' */

/** @param {Column} column */
export function header(column) {
  const { sort, label } = column;
  const th = make('th', { scope: 'col', title: label });
  th.classList.toggle('n', Boolean(column.right));
  const text = make('span', {}, label);
  if (column.key === 'pick') text.append(make('span', { className: 'unseen' }, 'Shown in the graphs'));
  if (!sort) {
    th.append(text);
    return th;
  }
  const button = make('button', { type: 'button' }, text);
  button.addEventListener('click', () => setQuery({ sort: nextSort(sort, Boolean(column.down)) }));
  th.append(button);
  markSort(th, sort);
  return th;
}

/**
 * The order after a click on a header: one direction, the other, the default.
 *
 * @param {string} sort
 * @param {boolean} isDownFirst
 */
function nextSort(sort, isDownFirst) {
  const [first, second] = isDownFirst ? [`-${sort}`, sort] : [sort, `-${sort}`];
  if (state.sort === first) return second;
  return state.sort === second ? '-created_at' : first;
}

/**
 * @param {HTMLTableCellElement} th
 * @param {string} sort
 */
export function markSort(th, sort) {
  if (state.sort === sort) th.ariaSort = 'ascending';
  else if (state.sort === `-${sort}`) th.ariaSort = 'descending';
  else th.removeAttribute('aria-sort');
}
