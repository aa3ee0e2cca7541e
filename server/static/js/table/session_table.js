// The session table. Only the rows in sight are in the page, so that 10,000 sessions scroll like ten.
import { list, loadMore, reload } from '../data/session_list.js';
import { setShownColumns } from '../data/shown_columns.js';
import { on, state } from '../data/store.js';
import { indexOfRow, isGrouped, rowAt, rowCount } from '../data/table_rows.js';
import { arrange, elementById, find, make, setText } from '../ui/dom.js';
import { findBest } from './best_values.js';
import { clicked, rowOf } from './choosing.js';
import { currentLayout, discover, shownColumns } from './columns.js';
import { showEmptyTable, showPlaceholder } from './empty_table.js';
import { header, markSort } from './header.js';
import { openedMenu, openRowMenu } from './menus.js';
import { leftEdges, pin } from './pinned_columns.js';
import { updateSessionRow, updateTimes } from './session_row.js';
import { focusedRow, keepFocus, NARROW, ROW_HEIGHT, view } from './view.js';

const SPARE_ROWS = 12; // above and below those in sight

/** @type {HTMLTableElement} */
let table;
/** @type {HTMLElement} */
let scroller;
/** @type {HTMLTableRowElement} */
let head;
/** @type {HTMLTableSectionElement} */
let body;
/** @type {HTMLDetailsElement} */
let menu;
/** @type {HTMLTableRowElement} */
let above;
/** @type {HTMLTableRowElement} */
let below;
/** @type {typeof import('./group_table.js') | null} loaded once the table is grouped */
let groups = null;
/** @type {{key: string, index: number} | null} the topmost row in sight */
let top = null;
/** Follows the width of the tag's column, which takes what the others leave. */
const tagObserver = new ResizeObserver(() => {
  measure();
  draw();
});
let frame = 0;
let hasChanged = true;
let isScrolled = false; // whether nothing but that has happened since the last drawing

export function start() {
  table = elementById('sessions', HTMLTableElement);
  scroller = elementById('table-scroll', HTMLElement);
  menu = elementById('columns', HTMLDetailsElement);
  head = table.rows[0];
  body = table.tBodies[0];
  above = spacer();
  below = spacer();
  body.addEventListener('click', (event) => {
    const target = /** @type {Element} */ (event.target);
    const key = rowOf(target)?.dataset.row;
    if (!key) return;
    if (target.closest('.more')) openRowMenu(key);
    else if (rowAt(indexOfRow(key))?.kind === 'session') view.focused = clicked(event) ?? view.focused;
    else {
      view.focused = key;
      groups?.clicked(event);
    }
  });
  body.addEventListener('contextmenu', openedMenu);
  body.addEventListener('focusin', (event) => {
    view.focused = rowOf(/** @type {Element} */ (event.target))?.dataset.row ?? view.focused;
  });
  scroller.addEventListener('scroll', drawSoon, { passive: true });
  new ResizeObserver(draw).observe(scroller);
  menu.addEventListener('toggle', async () => {
    if (menu.open) (await import('./columns_menu.js')).fill(menu);
  });
  addEventListener('losswise:theme', draw);
  on('columns', () => {
    layOutColumns();
    drawChanged();
  });
  on('list', drawChanged);
  on('session', drawChanged);
  on('selection', draw);
  on('groups', draw);
  on('loading', draw);
  on('rows', keepPlace);
  let wasGrouped = state.by.length > 0;
  on('grouping', () => {
    loadGroups();
    if (wasGrouped === state.by.length > 0) return;
    wasGrouped = !wasGrouped;
    layOutColumns(); // groups need wider ones
  });
  loadGroups();
  on('query', () => {
    scroller.scrollTop = 0;
    reload();
  });
  on('arrived', (id) => {
    // the rows in sight stay where they are
    if (isGrouped()) return;
    if (list.ids.indexOf(id) * ROW_HEIGHT < scroller.scrollTop) scroller.scrollTop += ROW_HEIGHT;
    requestAnimationFrame(() => requestAnimationFrame(() => view.rows.get(id)?.classList.add('fresh')));
  });
  setInterval(updateTimes, 1000);
  draw();
}

/** What groups need is loaded with the first one. */
async function loadGroups() {
  if (!state.by.length || groups) return;
  const loaded = await import('./group_table.js');
  if (groups) return;
  groups = loaded;
  groups.start();
}

/** The rows of the groups are others: the topmost one in sight stays where it is. */
function keepPlace() {
  const at = top ? indexOfRow(top.key) : -1;
  if (top && at >= 0 && at !== top.index && scroller.scrollTop > 0) {
    // the room for them first: the browser would bound the place to scroll to
    setHeights(0, rowCount());
    scroller.scrollTop += (at - top.index) * ROW_HEIGHT;
    top.index = at;
  }
  table.role = isGrouped() ? 'treegrid' : 'grid';
  draw();
}

const spacer = () => make('tr', { className: 'space', ariaHidden: 'true' }, make('td'));

/** Draw in the next frame; many calls are one drawing. */
function draw() {
  isScrolled = false;
  drawSoon();
}

function drawSoon() {
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    // what looks at every loaded session waits until one changes: scrolling does not
    if (hasChanged) {
      hasChanged = false;
      if (discover() || !view.columns.length) layOutColumns();
      findBest(view.columns, drawChanged);
    }
    drawRows();
  });
}

function drawChanged() {
  hasChanged = true;
  draw();
}

function layOutColumns() {
  const columns = shownColumns();
  view.columns = columns;
  setShownColumns(columns.map(({ key }) => key));
  view.rows.clear();
  find(table, 'colgroup').replaceChildren(
    ...columns.map(({ key, width }) => {
      const col = make('col');
      if (key !== 'tag' || hasTagWidth()) col.style.width = `${width}px`;
      return col;
    }),
  );
  const width = columns.reduce((sum, column) => sum + column.width, 0);
  table.style.minWidth = `${innerWidth <= NARROW ? width - 90 : width}px`;
  table.style.width = hasTagWidth() ? `${width}px` : '';
  view.lefts = leftEdges(columns, innerWidth <= NARROW);
  head.replaceChildren(...columns.map(header));
  pin(head, view.lefts);
  for (const space of [above, below]) space.cells[0].colSpan = columns.length;
  setText(find(menu, '.count'), String(columns.length - 1));
  groups?.setColumns(columns);
  measure();
  tagObserver.disconnect();
  tagObserver.observe(head.cells[columns.findIndex(({ key }) => key === 'tag')]);
}

/** Whether the person has given the tag's column a width; otherwise it takes what the others leave. */
const hasTagWidth = () => 'tag' in currentLayout().widths;

function measure() {
  const at = view.columns.findIndex((column) => column.key === 'tag');
  view.tagWidth = (head.cells[at]?.offsetWidth ?? 0) - 20 - (innerWidth <= NARROW ? 0 : 42);
}

function drawRows() {
  const { scrollTop, clientHeight } = scroller; // before anything is changed: the browser would lay the page out again
  view.columns.forEach(({ sort }, at) => {
    if (sort) markSort(head.cells[at], sort);
  });
  const isWaiting = groups?.isWaiting() ?? false;
  table.classList.toggle('waiting', (list.loading || list.isStale) && list.loaded);
  if (!list.loaded || isWaiting || (state.by.length > 0 && !groups)) return showPlaceholder(body, view.columns.length);
  const count = rowCount();
  if (table.tHead) table.tHead.hidden = count === 0;
  showEmptyTable(count === 0);
  const first = Math.min(Math.max(0, Math.floor(scrollTop / ROW_HEIGHT) - SPARE_ROWS), count);
  const last = Math.min(count, first + Math.ceil(clientHeight / ROW_HEIGHT) + 2 * SPARE_ROWS);
  table.ariaRowCount = String((isGrouped() ? count : list.total) + 1);
  setHeights(first, count - last);
  keepFocus();
  const hadFocus = body.contains(document.activeElement);
  const wanted = Array.from({ length: last - first }, (_, at) => updateRow(first + at));
  const kept = new Set(wanted);
  for (const [key, row] of view.rows)
    if (!kept.has(row) && !row.contains(document.activeElement)) view.rows.delete(key);
  arrange(body, [above, ...wanted, below]);
  isScrolled = true;
  if (hadFocus && document.activeElement === document.body) elementOf(view.focused)?.focus({ preventScroll: true });
  const index = Math.floor(scrollTop / ROW_HEIGHT);
  top = { key: rowAt(index)?.key ?? '', index };
  if (last <= count - 2 * SPARE_ROWS) return;
  if (isGrouped()) groups?.loadMoreGroups();
  else if (list.next) loadMore();
}

/**
 * @param {number} before how many rows are above those that are drawn
 * @param {number} after
 */
function setHeights(before, after) {
  above.cells[0].style.height = `${before * ROW_HEIGHT}px`;
  below.cells[0].style.height = `${after * ROW_HEIGHT}px`;
}

/** @param {string | null} key */
const elementOf = (key) => view.rows.get(key ?? '');

/** @param {number} index */
function updateRow(index) {
  const row = /** @type {import('../data/table_rows.js').Row} */ (rowAt(index));
  const drawn = view.rows.get(row.key);
  if (isScrolled && drawn?.isConnected) return drawn;
  const element = row.kind === 'session' || !groups ? updateSessionRow(row) : groups.updateRow(row);
  element.ariaRowIndex = String(index + 2);
  element.tabIndex = row.key === (view.focused ?? rowAt(0)?.key) ? 0 : -1;
  return element;
}

/**
 * Move the focused row, and scroll it into sight.
 *
 * @param {number} by
 */
export function moveFocus(by) {
  const at = indexOfRow(view.focused);
  focusRow(at < 0 ? 0 : at + by);
}

/**
 * Focus a row, and scroll it into sight.
 *
 * @param {number} index the nearest one, if there is none there
 */
export function focusRow(index) {
  if (!rowCount()) return;
  const next = Math.min(rowCount() - 1, Math.max(0, index));
  view.focused = rowAt(next)?.key ?? null;
  const start = next * ROW_HEIGHT;
  const room = visibleHeight();
  if (start < scroller.scrollTop) scroller.scrollTop = start;
  else if (start + ROW_HEIGHT > scroller.scrollTop + room) scroller.scrollTop = start + ROW_HEIGHT - room;
  isScrolled = false;
  drawRows();
  elementOf(view.focused)?.focus({ preventScroll: true });
}

/**
 * Scroll a session's row into sight.
 *
 * @param {string} id
 */
export function reveal(id) {
  draw();
  requestAnimationFrame(() => {
    const bottom = isGrouped() ? 0 : (list.ids.indexOf(id) + 1) * ROW_HEIGHT;
    if (bottom > visibleHeight()) scroller.scrollTop = bottom - visibleHeight() / 2;
  });
}

const visibleHeight = () => scroller.clientHeight - head.offsetHeight;

/** The session that keys act on, or null. */
export function focusedSession() {
  const row = focusedRow();
  return row?.kind === 'session' ? row.id : null;
}

/**
 * Do something to the row that keys act on, if it is one of a group.
 *
 * @param {'show' | 'toggle' | 'open' | 'close'} action
 * @returns {boolean} whether there was something to do
 */
export function actOnGroup(action) {
  return groups?.act(action, focusRow) ?? false;
}
