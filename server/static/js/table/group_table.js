// The grouped table: brings the rows of groups into the table, and does what clicks and keys ask for.
import { selectGroup, toggleGroup } from '../data/group_choice.js';
import { loadMore, refresh, rootOf, setColumns as setAsked, start as startTree } from '../data/group_tree.js';
import { fold, isOpen } from '../data/grouping.js';
import { list } from '../data/list_state.js';
import { emit, on, state } from '../data/store.js';
import { indexOfRow, isGrouped, rowAt, rowCount } from '../data/table_rows.js';
import { askedBy, updateGroupRow, updateOtherRow } from './group_row.js';
import { focusedRow, view } from './view.js';

/** @import { Node } from '../data/group_types.js' */
/** @import { Row } from '../data/table_rows.js' */
/** @import { Column } from './fixed_columns.js' */

export function start() {
  startTree();
  setColumns(view.columns);
  if (list.loaded) refresh(false);
  // with its first rows the table finds its columns, which the groups are asked for
  else on('list', () => requestAnimationFrame(() => requestAnimationFrame(() => refresh(false))), { once: true });
}

/** @param {Column[]} columns */
export function setColumns(columns) {
  const { statistics, fields } = askedBy(columns);
  setAsked(statistics, fields);
}

/** Whether the first groups are still being loaded. */
export const isWaiting = () => state.by.length > 0 && (!isGrouped() || !rootOf().isLoaded);

/** Load the next groups of the first level, if there are others. */
export function loadMoreGroups() {
  loadMore(rootOf());
}

/** @param {Row} row */
export function updateRow(row) {
  if (row.node) return updateGroupRow({ ...row, node: row.node });
  const { branch } = row;
  return updateOtherRow(row, branch?.nodes.length ? branch.total - branch.nodes.length : 0, branch?.error);
}

/** @param {MouseEvent} event */
export function clicked(event) {
  const row = focusedRow();
  const target = /** @type {Element} */ (event.target);
  if (row?.branch) loadMore(row.branch);
  if (!row?.node) return;
  const isToggled = target.closest('td.pick') || event.ctrlKey || event.metaKey;
  if (isToggled) toggleGroup(row.node.q);
  else if (getSelection()?.type !== 'Range') turn(row.node, !isOpen(row.node.q));
}

/**
 * Do what a key asks for, to the row that keys act on.
 *
 * @param {'show' | 'toggle' | 'open' | 'close'} action
 * @param {(index: number) => void} focusRow
 * @returns {boolean} whether there was something to do
 */
export function act(action, focusRow) {
  const row = focusedRow();
  if (!isGrouped() || !row) return false;
  const at = indexOfRow(row.key);
  if (action === 'close' && (!row.node || !isOpen(row.node.q))) {
    const parent = parentOf(at);
    if (parent >= 0) focusRow(parent);
  } else if (row.branch) loadMore(row.branch);
  else if (!row.node) return action === 'open';
  else if (action === 'show') selectGroup(row.node.q);
  else if (action === 'toggle') toggleGroup(row.node.q);
  else if (action === 'open' && isOpen(row.node.q)) {
    if (at + 1 < rowCount()) focusRow(at + 1);
  } else turn(row.node, action === 'open');
  return true;
}

/**
 * The row of the group around a row.
 *
 * @param {number} index
 */
function parentOf(index) {
  const depth = rowAt(index)?.depth ?? 0;
  let at = index - 1;
  while (at >= 0 && (rowAt(at)?.depth ?? 0) >= depth) at -= 1;
  return at;
}

/**
 * @param {Node} node
 * @param {boolean} isWanted
 */
function turn({ q, label, group }, isWanted) {
  fold(q, isWanted);
  emit('message', isWanted ? `${label} open, ${group.sessions} sessions` : `${label} closed`);
}
