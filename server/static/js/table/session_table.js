// The session table. Only the rows in sight are in the page, so that 10,000 sessions scroll like ten.
import { list, loadMore, reload } from '../data/session_list.js';
import { setShownColumns } from '../data/shown_columns.js';
import { isChosen, on, sessions } from '../data/store.js';
import { arrange, elementById, find, make, setText } from '../ui/dom.js';
import { bestIn, findBest } from './best_values.js';
import { cutTag } from './cells.js';
import { clicked, rowAt } from './choosing.js';
import { currentLayout, discover, shownColumns } from './columns.js';
import { showEmptyTable } from './empty_table.js';
import { header, markSort } from './header.js';
import { leftEdges, pin } from './pinned_columns.js';

/** @import { Session } from '../data/session.js' */
/** @import { Column } from './fixed_columns.js' */

const ROW_HEIGHT = 30;
const SPARE_ROWS = 12; // above and below those in sight
const PLACEHOLDER_ROWS = 5;
const NARROW = 700; // pixels of a narrow window

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

/** @type {Map<string, HTMLTableRowElement>} by session */
const rows = new Map();
/** @type {Column[]} */
let columns = [];
/** @type {(number | null)[]} left edges of pinned columns */
let lefts = [];
let tagWidth = 0;
/** @type {string | null} the session that keys act on */
let focused = null;
let focusedAt = 0; // its place among the rows
/** Follows the width of the tag's column, which takes what the others leave. */
const tagObserver = new ResizeObserver(() => {
  measure();
  draw();
});
let frame = 0;
let hasChanged = true;

export function start() {
  table = elementById('sessions', HTMLTableElement);
  scroller = elementById('table-scroll', HTMLElement);
  menu = elementById('columns', HTMLDetailsElement);
  head = table.rows[0];
  body = table.tBodies[0];
  above = spacer();
  below = spacer();
  body.addEventListener('click', (event) => {
    const more = /** @type {Element} */ (event.target).closest('.more');
    const id = more && rowAt(more)?.dataset.session;
    if (id) openRowMenu(id);
    else focused = clicked(event) ?? focused;
  });
  body.addEventListener('contextmenu', openedMenu);
  body.addEventListener('focusin', (event) => {
    focused = rowAt(/** @type {Element} */ (event.target))?.dataset.session ?? focused;
  });
  scroller.addEventListener('scroll', draw, { passive: true });
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
  on('loading', draw);
  on('query', () => {
    scroller.scrollTop = 0;
    reload();
  });
  on('arrived', (id) => {
    // the rows in sight stay where they are
    if (list.ids.indexOf(id) * ROW_HEIGHT < scroller.scrollTop) scroller.scrollTop += ROW_HEIGHT;
    requestAnimationFrame(() => requestAnimationFrame(() => rows.get(id)?.classList.add('fresh')));
  });
  setInterval(updateTimes, 1000);
  draw();
}

const spacer = () => make('tr', { className: 'space', ariaHidden: 'true' }, make('td'));

/** Draw in the next frame; many calls are one drawing. */
function draw() {
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    // what looks at every loaded session waits until one changes: scrolling does not
    if (hasChanged) {
      hasChanged = false;
      if (discover() || !columns.length) layOutColumns();
      findBest(columns);
    }
    drawRows();
  });
}

function drawChanged() {
  hasChanged = true;
  draw();
}

function layOutColumns() {
  columns = shownColumns();
  setShownColumns(columns.map(({ key }) => key));
  rows.clear();
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
  lefts = leftEdges(columns, innerWidth <= NARROW);
  head.replaceChildren(...columns.map(header));
  pin(head, lefts);
  for (const space of [above, below]) space.cells[0].colSpan = columns.length;
  setText(find(menu, '.count'), String(columns.length - 1));
  measure();
  tagObserver.disconnect();
  tagObserver.observe(head.cells[columns.findIndex(({ key }) => key === 'tag')]);
}

/** Whether the person has given the tag's column a width; otherwise it takes what the others leave. */
const hasTagWidth = () => 'tag' in currentLayout().widths;

function measure() {
  const at = columns.findIndex((column) => column.key === 'tag');
  tagWidth = (head.cells[at]?.offsetWidth ?? 0) - 20 - (innerWidth <= NARROW ? 0 : 42);
}

function drawRows() {
  columns.forEach(({ sort }, at) => {
    if (sort) markSort(head.cells[at], sort);
  });
  table.classList.toggle('waiting', (list.loading || list.isStale) && list.loaded);
  if (!list.loaded) return drawPlaceholder();
  const { ids } = list;
  if (table.tHead) table.tHead.hidden = ids.length === 0;
  showEmptyTable(ids.length === 0);
  const first = Math.max(0, Math.floor(scroller.scrollTop / ROW_HEIGHT) - SPARE_ROWS);
  const last = Math.min(ids.length, first + Math.ceil(scroller.clientHeight / ROW_HEIGHT) + 2 * SPARE_ROWS);
  table.ariaRowCount = String(list.total + 1);
  above.cells[0].style.height = `${first * ROW_HEIGHT}px`;
  below.cells[0].style.height = `${(ids.length - last) * ROW_HEIGHT}px`;
  keepFocus();
  const hadFocus = body.contains(document.activeElement);
  const wanted = ids.slice(first, last);
  const kept = new Set(wanted);
  for (const [id, row] of rows) if (!kept.has(id) && !row.contains(document.activeElement)) rows.delete(id);
  arrange(body, [above, ...wanted.map((id, at) => updateRow(id, first + at)), below]);
  if (hadFocus && document.activeElement === document.body) rows.get(focused ?? '')?.focus({ preventScroll: true });
  if (list.next && last > ids.length - 2 * SPARE_ROWS) loadMore();
}

/** If the session that keys act on has left, the one that has taken its place follows. */
function keepFocus() {
  if (focused === null) return;
  const at = list.ids.indexOf(focused);
  if (at >= 0) focusedAt = at;
  else focused = list.ids[Math.min(focusedAt, list.ids.length - 1)] ?? null;
}

function drawPlaceholder() {
  if (body.querySelector('.first')) return; // the server's rows
  const cells = () => columns.map(() => make('td'));
  const placeholder = () => make('tr', { className: 'skeleton', ariaHidden: 'true' }, ...cells());
  body.replaceChildren(...Array.from({ length: PLACEHOLDER_ROWS }, placeholder));
}

/**
 * @param {string} id
 * @param {number} index
 */
function updateRow(id, index) {
  const session = sessions.get(id);
  const row = rows.get(id) ?? createRow(id);
  const isSelected = String(isChosen(id));
  if (row.ariaSelected !== isSelected) row.ariaSelected = isSelected;
  row.classList.toggle('unmatched', list.unmatched.has(id));
  row.ariaRowIndex = String(index + 2);
  row.tabIndex = id === (focused ?? list.ids[0]) ? 0 : -1;
  if (session) for (const [at, column] of columns.entries()) updateCell(row.cells[at], column, session);
  return row;
}

/** @param {string} id */
function createRow(id) {
  const row = make('tr');
  row.dataset.session = id;
  for (const { right, dim } of columns)
    row.append(make('td', { className: [right && 'n', dim && 'dim'].filter(Boolean).join(' ') }));
  pin(row, lefts);
  rows.set(id, row);
  return row;
}

/**
 * @param {HTMLTableCellElement} td
 * @param {Column} column
 * @param {Session} session
 */
function updateCell(td, column, session) {
  column.cell(td, session);
  if (column.key === 'tag') cutTag(td, tagWidth);
  if (column.value) {
    const value = column.value(session);
    td.classList.toggle('best', typeof value === 'number' && value === bestIn(column) && list.total > 1);
  }
}

function updateTimes() {
  if (document.hidden) return;
  columns.forEach(({ ticks, cell }, at) => {
    if (!ticks) return;
    for (const [id, row] of rows) {
      const session = sessions.get(id);
      if (session) cell(row.cells[at], session);
    }
  });
}

/**
 * Move the focused row, and scroll it into sight.
 *
 * @param {number} by
 */
export function moveFocus(by) {
  if (!list.ids.length) return;
  const at = focused === null ? -1 : list.ids.indexOf(focused);
  const next = at < 0 ? 0 : Math.min(list.ids.length - 1, Math.max(0, at + by));
  focused = list.ids[next];
  const top = next * ROW_HEIGHT;
  const room = visibleHeight();
  if (top < scroller.scrollTop) scroller.scrollTop = top;
  else if (top + ROW_HEIGHT > scroller.scrollTop + room) scroller.scrollTop = top + ROW_HEIGHT - room;
  drawRows();
  rows.get(focused)?.focus({ preventScroll: true });
}

/**
 * Scroll a session's row into sight.
 *
 * @param {string} id
 */
export function reveal(id) {
  draw();
  requestAnimationFrame(() => {
    const bottom = (list.ids.indexOf(id) + 1) * ROW_HEIGHT;
    if (bottom > visibleHeight()) scroller.scrollTop = bottom - visibleHeight() / 2;
  });
}

const visibleHeight = () => scroller.clientHeight - head.offsetHeight;

/** The session that keys act on, or null. */
export const focusedRow = () => (focused !== null && list.ids.includes(focused) ? focused : null);

/** @param {MouseEvent} event */
function openedMenu(event) {
  const target = /** @type {Element} */ (event.target);
  const id = rowAt(target)?.dataset.session;
  if (!id || target.closest('a') || getSelection()?.type === 'Range') return; // the browser's own menu
  event.preventDefault();
  openRowMenu(id, { x: event.clientX, y: event.clientY });
}

/**
 * Open the menu of a row, by default below its name.
 *
 * @param {string} id
 * @param {{x: number, y: number}} [at] of the window, in pixels
 */
export async function openRowMenu(id, at) {
  const box = rows.get(id)?.querySelector('.tag')?.getBoundingClientRect();
  const menu = await import('../rows/row_menu.js');
  menu.open(id, at ?? { x: box?.left ?? 0, y: box?.bottom ?? 0 });
}
