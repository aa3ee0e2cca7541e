// The session table. Only the rows in sight are in the page, so 10,000 sessions scroll like ten.
import { list, more, reload } from '../data/session_list.js';
import { ask, on, select, sessions, state, toggle } from '../data/store.js';
import { setText } from '../ui/dom.js';
import { bestOf, findBest } from './best_values.js';
import { cutTag } from './cells.js';
import { discover, fillMenu, shown } from './columns.js';
import { absentTable } from './empty_table.js';

const ROW = 30;
const SPARE = 12;
const BONES = 5;

let table;
let scroll;
let head;
let body;
let group;
let menu;
const rows = new Map();
let above;
let below;
let columns = [];
let tagWidth = 0;
let focused = null;
let frame = 0;
let stale = true;

function spacer() {
  const row = document.createElement('tr');
  row.className = 'space';
  row.ariaHidden = 'true';
  row.append(document.createElement('td'));
  return row;
}

/** Draw in the next frame; many calls are one drawing. */
export function draw() {
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    if (stale) lookThrough();
    drawRows();
  });
}

// What looks at every loaded session waits for one to change: scrolling does not.
function lookThrough() {
  stale = false;
  if (discover() || !columns.length) layColumns();
  findBest(columns);
}

function drawChanged() {
  stale = true;
  draw();
}

function layColumns() {
  columns = shown();
  rows.clear();
  group.replaceChildren(
    ...columns.map((column) => {
      const col = document.createElement('col');
      if (column.key !== 'tag') col.style.width = `${column.width}px`;
      return col;
    }),
  );
  const wanted = columns.reduce((sum, column) => sum + column.width, 0);
  table.style.minWidth = `${innerWidth <= 700 ? wanted - 90 : wanted}px`;
  head.replaceChildren(...columns.map(header));
  for (const space of [above, below]) space.firstChild.colSpan = columns.length;
  setText(menu.querySelector('.count'), String(columns.length - 1));
  if (menu.open) fillMenu(menu);
  measure();
}

function measure() {
  const at = columns.findIndex((column) => column.key === 'tag');
  tagWidth = (head.cells[at]?.offsetWidth ?? 0) - 20 - (innerWidth <= 700 ? 0 : 42);
}

function header(column) {
  const th = document.createElement('th');
  th.scope = 'col';
  th.classList.toggle('n', Boolean(column.right));
  th.title = column.label;
  if (!column.sort) {
    const span = document.createElement('span');
    span.textContent = column.label;
    if (column.key === 'pick')
      span.append(
        Object.assign(document.createElement('span'), {
          className: 'unseen',
          textContent: 'Shown in the graphs',
        }),
      );
    th.append(span);
    return th;
  }
  const button = document.createElement('button');
  button.type = 'button';
  button.append(Object.assign(document.createElement('span'), { textContent: column.label }));
  button.addEventListener('click', () => ask({ sort: nextSort(column) }));
  th.append(button);
  markSort(th, column);
  return th;
}

function nextSort(column) {
  const first = (column.down ? '-' : '') + column.sort;
  const second = (column.down ? '' : '-') + column.sort;
  if (state.sort === first) return second;
  return state.sort === second ? '-created_at' : first;
}

function markSort(th, column) {
  if (state.sort === column.sort) th.ariaSort = 'ascending';
  else if (state.sort === `-${column.sort}`) th.ariaSort = 'descending';
  else th.removeAttribute('aria-sort');
}

function drawRows() {
  columns.forEach((column, at) => column.sort && markSort(head.cells[at], column));
  table.classList.toggle('waiting', list.waiting && list.loaded);
  if (!list.loaded) return drawBones();
  const ids = list.ids;
  absentTable(ids.length === 0);
  const first = Math.max(0, Math.floor(scroll.scrollTop / ROW) - SPARE);
  const last = Math.min(ids.length, first + Math.ceil(scroll.clientHeight / ROW) + 2 * SPARE);
  table.setAttribute('aria-rowcount', list.total + 1);
  above.firstChild.style.height = `${first * ROW}px`;
  below.firstChild.style.height = `${(ids.length - last) * ROW}px`;
  const wanted = ids.slice(first, last);
  const keep = new Set(wanted);
  for (const id of [...rows.keys()]) {
    if (!keep.has(id) && !rows.get(id).contains(document.activeElement)) rows.delete(id);
  }
  const nodes = wanted.map((id, at) => patch(id, first + at));
  place([above, ...nodes, below]);
  if (list.next && last > ids.length - 2 * SPARE) more();
}

// Put the nodes in order, moving only those that are not there already, so focus and hover stay.
function place(nodes) {
  const wanted = new Set(nodes);
  for (const node of [...body.children]) if (!wanted.has(node)) node.remove();
  nodes.forEach((node, at) => {
    if (body.children[at] !== node) body.insertBefore(node, body.children[at] ?? null);
  });
}

function drawBones() {
  body.replaceChildren(
    ...Array.from({ length: BONES }, () => {
      const row = document.createElement('tr');
      row.className = 'bones';
      row.ariaHidden = 'true';
      row.append(...columns.map(() => document.createElement('td')));
      return row;
    }),
  );
}

function patch(id, index) {
  const session = sessions.get(id);
  let row = rows.get(id);
  if (!row) {
    row = document.createElement('tr');
    row.dataset.session = id;
    for (const column of columns) {
      const td = document.createElement('td');
      if (column.right) td.classList.add('n');
      if (column.dim) td.classList.add('dim');
      row.append(td);
    }
    rows.set(id, row);
  }
  const chosen = String(state.selected.includes(id));
  if (row.ariaSelected !== chosen) row.ariaSelected = chosen;
  row.setAttribute('aria-rowindex', index + 2);
  row.tabIndex = id === (focused ?? list.ids[0]) ? 0 : -1;
  if (session) columns.forEach((column, at) => fill(row.cells[at], column, session));
  return row;
}

function fill(td, column, session) {
  column.cell(td, session);
  if (column.key === 'tag') cutTag(td, tagWidth);
  if (column.value) {
    const value = column.value(session);
    td.classList.toggle('best', typeof value === 'number' && value === bestOf(column) && list.total > 1);
  }
}

/** Move the row that keys act on, and bring it into sight. */
export function moveFocus(by) {
  if (!list.ids.length) return;
  const at = list.ids.indexOf(focused);
  const next = at < 0 ? 0 : Math.min(list.ids.length - 1, Math.max(0, at + by));
  focused = list.ids[next];
  const top = next * ROW;
  const room = scroll.clientHeight - head.offsetHeight;
  if (top < scroll.scrollTop) scroll.scrollTop = top;
  else if (top + ROW > scroll.scrollTop + room) scroll.scrollTop = top + ROW - room;
  drawRows();
  rows.get(focused)?.focus({ preventScroll: true });
}

/** Bring the row of a session that an address named into sight. */
export function reveal(id) {
  draw();
  requestAnimationFrame(() => {
    const at = list.ids.indexOf(id);
    const room = scroll.clientHeight - head.offsetHeight;
    if (at >= 0 && (at + 1) * ROW > room) scroll.scrollTop = (at + 1) * ROW - room / 2;
  });
}

export const focusedRow = () => (list.ids.includes(focused) ? focused : null);

function selectRange(from, to) {
  const [a, b] = [list.ids.indexOf(from), list.ids.indexOf(to)].sort((one, other) => one - other);
  getSelection().removeAllRanges();
  select([...state.selected, ...list.ids.slice(Math.max(0, a), b + 1)]);
}

export function start() {
  table = document.getElementById('sessions');
  scroll = document.getElementById('table-scroll');
  head = table.tHead.rows[0];
  body = table.tBodies[0];
  group = table.querySelector('colgroup');
  menu = document.getElementById('columns');
  above = spacer();
  below = spacer();

  body.addEventListener('click', (event) => {
    const row = event.target.closest('tr[data-session]');
    if (!row || event.target.closest('a')) return;
    const id = row.dataset.session;
    if (event.target.closest('td.pick')) return toggle(id);
    const copying = getSelection().type === 'Range' && row.contains(getSelection().anchorNode);
    if (event.shiftKey && focused) selectRange(focused, id);
    else if (copying) return;
    else if (event.ctrlKey || event.metaKey) toggle(id);
    else select([id]);
    focused = id;
  });

  body.addEventListener('focusin', (event) => {
    focused = event.target.closest('tr[data-session]')?.dataset.session ?? focused;
  });

  scroll.addEventListener('scroll', draw, { passive: true });
  new ResizeObserver(() => {
    measure();
    draw();
  }).observe(scroll);
  menu.addEventListener('toggle', () => menu.open && fillMenu(menu));

  on('columns', () => {
    layColumns();
    drawChanged();
  });
  for (const name of ['list', 'session']) on(name, drawChanged);
  for (const name of ['selection', 'waiting']) on(name, draw);
  addEventListener('losswise:theme', draw);
  on('question', () => {
    scroll.scrollTop = 0;
    reload();
  });
  on('arrived', (id) => {
    if (scroll.scrollTop > 0) scroll.scrollTop += ROW; // what the person reads stays where it is
    requestAnimationFrame(() => requestAnimationFrame(() => rows.get(id)?.classList.add('fresh')));
  });

  // Times pass by themselves.
  setInterval(() => {
    if (document.hidden) return;
    columns.forEach((column, at) => {
      if (!column.ticks) return;
      for (const [id, row] of rows) if (sessions.has(id)) column.cell(row.cells[at], sessions.get(id));
    });
  }, 1000);
}
