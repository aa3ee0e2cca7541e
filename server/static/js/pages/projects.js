// The entry point of the list of projects: find, star, edit, and keep the rows up to date.
import { messageOf, patch } from '../data/http.js';
import { byId, childrenOf, elementById, find, findAll } from '../ui/dom.js';
import { showTimes } from '../ui/times.js';
import { showToast } from '../ui/toast.js';
import { PAGE_HEADERS } from '../ui/upgrade.js';

const REFRESH_MS = 7000;

/** @type {Map<string, string>} what the server has written, by project and cell */
const written = new Map();
let refreshing = 0; // number of the latest refresh

function start() {
  const table = document.getElementById('projects');
  document.addEventListener('keydown', pressed);
  if (!table) return;
  remember(rowsOf(table));
  table.addEventListener('click', clicked);
  startFinding();
  setInterval(() => document.hidden || refresh(), REFRESH_MS);
  document.addEventListener('visibilitychange', () => document.hidden || refresh());
}

/** @param {ParentNode} root */
const rowsOf = (root) => findAll(root, 'tr[data-project]');

/** @param {HTMLElement[]} rows */
function remember(rows) {
  for (const row of rows) for (const cell of cellsOf(row)) written.set(nameOf(row, cell), source(cell));
}

/** @param {HTMLElement} row */
const cellsOf = (row) => childrenOf(row).filter((cell) => cell.dataset.cell);

/**
 * @param {HTMLElement} row
 * @param {HTMLElement} cell
 */
const nameOf = (row, cell) => `${row.dataset.project} ${cell.dataset.cell}`;

/**
 * A cell as the server wrote it: this page writes times in words.
 *
 * @param {HTMLElement} cell
 */
const source = (cell) => cell.querySelector('time')?.dataset.time ?? cell.innerHTML;

const searchField = () => /** @type {HTMLInputElement | null} */ (document.getElementById('find'));

/** @param {KeyboardEvent} event */
function pressed(event) {
  const target = /** @type {Element} */ (event.target);
  const field = searchField();
  if (!field || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === 'Escape' && target === field) {
    field.value = '';
    filter();
    field.blur();
  } else if (event.key === 'Enter' && target === field) {
    const first = rowsOf(document).find((row) => !row.hidden);
    if (first && field.value.trim()) find(first, '.row-link').click();
  } else if (event.key === '/' && !target.closest('input, textarea, select')) {
    event.preventDefault();
    field.select();
  } else if (event.key === 't' && !target.closest('input, textarea, select'))
    dispatchEvent(new Event('losswise:toggle-theme'));
}

function startFinding() {
  const field = searchField();
  if (!field) return;
  find(document, '.find').hidden = false;
  field.value = new URLSearchParams(location.search).get('q') ?? '';
  field.addEventListener('input', filter);
  find(byId('nothing'), 'button').addEventListener('click', () => {
    field.value = '';
    filter();
    field.focus();
  });
  filter();
}

/** Show the projects that have all words of the search field, in any order. */
function filter() {
  const field = searchField();
  const text = field?.value.trim() ?? '';
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = rowsOf(document);
  for (const row of rows) {
    const all = row.dataset.words?.toLowerCase() ?? '';
    row.hidden = !words.every((word) => all.includes(word));
  }
  const shown = rows.filter((row) => !row.hidden).length;
  byId('projects').hidden = shown === 0;
  byId('nothing').hidden = shown > 0;
  const number = rows.length === 1 ? '1 project' : `${rows.length} projects`;
  byId('found').textContent = words.length ? `${shown} of ${number}` : number;
  const address = text ? `?${new URLSearchParams({ q: text })}` : location.pathname;
  if (field && address !== (location.search || location.pathname)) history.replaceState(null, '', address);
}

/** Fetch the rows, and write what has changed. What is being edited stays. */
export async function refresh() {
  const mine = ++refreshing;
  let text = '';
  let problem = ''; // why the rows are not those of now
  try {
    const response = await fetch(find(document, '[data-rows]').dataset.rows ?? '', { headers: PAGE_HEADERS });
    if (response.redirected && !document.querySelector('.project-form')) return location.reload(); // to sign in again
    if (response.redirected) return;
    if (response.ok) text = await response.text();
    else problem = response.status === 503 ? 'database unavailable' : `the server answers ${response.status}`;
  } catch {
    problem = 'server unreachable';
  }
  if (mine !== refreshing) return;
  byId('lost').textContent = problem;
  if (!problem) update(new DOMParser().parseFromString(`<table>${text}</table>`, 'text/html'));
}

/** @param {Document} page */
function update(page) {
  const body = find(elementById('projects', HTMLTableElement), 'tbody');
  const known = new Map(rowsOf(body).map((row) => [row.dataset.project, row]));
  const rows = rowsOf(page).map((fresh) => {
    const row = known.get(fresh.dataset.project);
    if (!row) {
      remember([fresh]);
      return document.importNode(fresh, true);
    }
    row.dataset.words = fresh.dataset.words;
    for (const [at, cell] of cellsOf(fresh).entries()) updateCell(row, cellsOf(row)[at], cell);
    return row;
  });
  for (const row of known.values()) if (!rows.includes(row)) row.remove();
  rows.forEach((row, at) => {
    if (body.children[at] !== row) body.insertBefore(row, body.children[at] ?? null);
  });
  showTimes(body);
  filter();
}

/**
 * @param {HTMLElement} row
 * @param {HTMLElement} cell
 * @param {HTMLElement} fresh
 */
function updateCell(row, cell, fresh) {
  const name = nameOf(row, cell);
  if (written.get(name) === source(fresh) || cell.querySelector('form')) return;
  written.set(name, source(fresh));
  const active = cell.contains(document.activeElement) ? document.activeElement : null;
  const at = active ? findAll(cell, 'a, button').indexOf(/** @type {HTMLElement} */ (active)) : -1;
  cell.className = fresh.className;
  cell.replaceChildren(...document.importNode(fresh, true).childNodes);
  if (at >= 0) findAll(cell, 'a, button')[at]?.focus({ preventScroll: true });
}

/** @param {MouseEvent} event */
async function clicked(event) {
  const target = /** @type {Element} */ (event.target);
  const row = /** @type {HTMLElement | null} */ (target.closest('tr'));
  const star = /** @type {HTMLElement | null} */ (target.closest('[data-star]'));
  const edit = /** @type {HTMLElement | null} */ (target.closest('[data-edit]'));
  if (row && star) await toggleStar(row, star);
  if (row && edit) (await import('./project_form.js')).open(row, edit, refresh);
}

/**
 * @param {HTMLElement} row
 * @param {HTMLElement} star
 */
async function toggleStar(row, star) {
  const starred = star.ariaPressed !== 'true';
  star.ariaPressed = String(starred);
  try {
    await patch(`/api/v2/projects/${row.dataset.project}`, { starred });
  } catch (error) {
    star.ariaPressed = String(!starred);
    showToast(messageOf(error));
  }
  await refresh();
  const moved = rowsOf(document).find(({ dataset }) => dataset.project === row.dataset.project);
  if (moved && document.activeElement === document.body) find(moved, '[data-star]').focus({ preventScroll: true });
}

start();
