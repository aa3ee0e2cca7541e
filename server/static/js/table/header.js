// The cells of the table's head. A click sorts, dragging moves the column, its right edge changes the width; the menu of
// a head, and keys, do all of that too.

import { canGroupBy, fieldNamed } from '../data/fields.js';
import { groupBy } from '../data/grouping.js';
import { setQuery, state } from '../data/store.js';
import { make } from '../ui/dom.js';
import { openMenu } from '../ui/popup_menu.js';
import { choose, currentLayout, setLayout, shownColumns } from './columns.js';
import { startMoving, startResizing } from './header_drag.js';
import { EMPTY, isMovable, moved, pinned, resized } from './layout.js';

/** @import { Column } from './fixed_columns.js' */
/** @import { MenuItem } from '../ui/popup_menu.js' */

const WIDTH_STEP = 20; // pixels of a key

/** @param {Column} column */
export function header(column) {
  const { key, sort, label } = column;
  const th = make('th', { scope: 'col', title: label });
  th.dataset.key = key;
  th.classList.toggle('n', Boolean(column.right));
  const text = make('span', {}, label);
  if (key === 'pick') text.append(make('span', { className: 'unseen' }, 'Shown in the graphs'));
  const button = sort || isMovable(key) ? make('button', { type: 'button' }, text) : text;
  th.append(button);
  if (key === 'pick') return th;
  if (sort) {
    button.addEventListener('click', () => setQuery({ sort: nextSort(sort, Boolean(column.down)) }));
    markSort(th, sort);
  }
  th.append(edgeOf(column));
  th.addEventListener('contextmenu', (event) => {
    event.preventDefault();
    openHeadMenu(column, { x: event.clientX, y: event.clientY });
  });
  th.addEventListener('keydown', (event) => pressed(event, column, th));
  if (isMovable(key)) th.addEventListener('pointerdown', (event) => startMoving(event, th, move));
  return th;
}

/** @param {Column} column */
function edgeOf({ key, widthKey = key }) {
  const edge = make('span', { className: 'edge', ariaHidden: 'true' });
  edge.addEventListener('pointerdown', (event) =>
    startResizing(event, edge, (width) => setLayout(resized(currentLayout(), widthKey, width))),
  );
  edge.addEventListener('dblclick', () => setLayout(resized(currentLayout(), widthKey, null)));
  return edge;
}

const shownKeys = () => shownColumns().map(({ key }) => key);

/**
 * @param {string} key
 * @param {string | null} before the column that it is put before, or null for the end
 */
const move = (key, before) => setLayout(moved(currentLayout(), shownKeys(), key, before));

/**
 * Move a column by a number of places.
 *
 * @param {string} key
 * @param {number} by
 */
function moveBy(key, by) {
  const keys = shownKeys().filter(isMovable);
  const to = keys.indexOf(key) + (by > 0 ? by + 1 : by);
  if (to >= 0 && to <= keys.length) move(key, keys[to] ?? null);
}

/**
 * The field by which rows are grouped by what a column shows; '' if they cannot be.
 *
 * @param {Column} column
 */
async function groupFieldOf({ key, group }) {
  if (group === 'statistics') return '';
  const name = group ? key.slice(group.length + 1) : key;
  const field = await fieldNamed(group ?? 'columns', name).catch(() => undefined);
  return field && canGroupBy(field) ? field.field : '';
}

/**
 * @param {Column} column
 * @param {{x: number, y: number}} at of the window, in pixels
 */
async function openHeadMenu(column, at) {
  const items = itemsFor(column, await groupFieldOf(column)).map((item) => ({
    ...item,
    act: () => {
      item.act();
      focusHead(column.key); // it may be another element now
    },
  }));
  openMenu(items, at, `Column ${column.label}`);
}

/** @param {string} key */
function focusHead(key) {
  /** @type {HTMLElement | null} */ (
    document.querySelector(`#sessions th[data-key="${CSS.escape(key)}"] button`)
  )?.focus();
}

/**
 * @param {Column} column
 * @param {string} field by which the table can be grouped, or ''
 */
function itemsFor({ key, widthKey = key, sort, width, label }, field) {
  const layout = currentLayout();
  const isPinned = layout.pinned.includes(key);
  /** @type {MenuItem[]} */
  const items = [];
  if (sort)
    items.push(
      { label: 'Sort ascending', act: () => setQuery({ sort }) },
      { label: 'Sort descending', act: () => setQuery({ sort: `-${sort}` }) },
    );
  if (isMovable(key))
    items.push(
      { label: 'Move left', key: 'Alt ←', separated: true, act: () => moveBy(key, -1) },
      { label: 'Move right', key: 'Alt →', act: () => moveBy(key, 1) },
      {
        label: isPinned ? 'Unpin' : 'Pin to the left',
        act: () => setLayout(pinned(currentLayout(), key, !isPinned)),
      },
      { label: `Hide ${label}`, act: () => choose(key, false) },
    );
  if (field && !state.by.includes(field))
    items.push({
      label: state.by.length ? 'Then group by this' : 'Group by this',
      separated: true,
      act: () => groupBy([...state.by, field]),
    });
  items.push(
    {
      label: 'Wider',
      key: 'Shift →',
      separated: true,
      act: () => setLayout(resized(layout, widthKey, width + WIDTH_STEP)),
    },
    { label: 'Narrower', key: 'Shift ←', act: () => setLayout(resized(layout, widthKey, width - WIDTH_STEP)) },
    { label: 'Reset all columns', separated: true, act: () => setLayout(EMPTY) },
  );
  return items;
}

/**
 * @param {KeyboardEvent} event
 * @param {Column} column
 * @param {HTMLElement} th
 */
function pressed(event, column, th) {
  const { key, widthKey = key, width } = column;
  if (event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey)) {
    const { left, bottom } = th.getBoundingClientRect();
    event.preventDefault();
    event.stopPropagation();
    return openHeadMenu(column, { x: left, y: bottom });
  }
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!by || !(event.altKey || event.shiftKey)) return;
  event.preventDefault();
  event.stopPropagation();
  if (event.altKey && isMovable(key)) moveBy(key, by);
  if (event.shiftKey) setLayout(resized(currentLayout(), widthKey, width + by * WIDTH_STEP));
  focusHead(key);
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
