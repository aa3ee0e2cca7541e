// Keyboard shortcuts, and the dialog that lists them.
import { detailsOf } from '../data/session.js';
import { chooseAllMatching, select, setQuery, state, toggle, zoomTo } from '../data/store.js';
import { chooseRange } from '../table/choosing.js';
import { openFocusedMenu } from '../table/menus.js';
import { actOnGroup, focusedSession, moveFocus } from '../table/session_table.js';
import { view } from '../table/view.js';
import { byId, elementById, make } from '../ui/dom.js';
import { undoLast } from '../ui/toast.js';

const HELP = [
  ['/', 'search sessions; ↓ shows what can be asked for'],
  ['j  k  ↓  ↑', 'next, previous session'],
  ['Enter', 'show only this session'],
  ['Space  x', 'add it to the graphs, or remove it'],
  ['→  ←', 'open, close a group'],
  ['Shift+↓  Shift+↑', 'add the next, previous session'],
  ['Ctrl+A', 'select all sessions that match, also those that are not loaded'],
  ['d', 'details of this session: params, texts, images, console'],
  ['m', 'menu of this session, or of all that are selected'],
  ['r  l  n', 'rename, tags (labels), note'],
  ['s  e  Del', 'star, archive, move to the bin'],
  ['z', 'undo what has just been done'],
  ['drag', 'zoom all charts; double-click or Esc resets'],
  ['t', 'light or dark theme'],
  ['?', 'this list'],
];

/** @type {Record<string, () => unknown>} */
const ACTIONS = {
  '/': () => searchField().select(),
  j: () => moveFocus(1),
  ArrowDown: () => moveFocus(1),
  k: () => moveFocus(-1),
  ArrowUp: () => moveFocus(-1),
  Enter: () => withFocused((id) => select([id])) || actOnGroup('show'),
  x: toggleFocused,
  ' ': toggleFocused,
  ArrowRight: () => actOnGroup('open'),
  ArrowLeft: () => actOnGroup('close'),
  d: showDetails,
  m: openFocusedMenu,
  ContextMenu: openFocusedMenu,
  r: () => act('rename'),
  l: () => act('tags'),
  n: () => act('note'),
  s: () => act('star'),
  e: () => act(state.place === 'bin' ? 'restore' : 'archive'),
  Delete: () => act(state.place === 'bin' ? 'purge' : 'delete'),
  z: undoLast,
  t: () => dispatchEvent(new Event('losswise:toggle-theme')),
  '?': showHelp,
  Escape: () => zoomTo(null),
};

/** Keys that may be held. */
const REPEATED = new Set(['j', 'k', 'ArrowDown', 'ArrowUp', 'ArrowLeft', 'ArrowRight']);

/** @type {Record<string, () => void>} */
const WITH_SHIFT = {
  ArrowDown: () => extend(1),
  ArrowUp: () => extend(-1),
  F10: openFocusedMenu,
};

const searchField = () => elementById('search', HTMLInputElement);
const dialog = () => elementById('keys', HTMLDialogElement);

export function start() {
  byId('help').addEventListener('click', showHelp);
  document.addEventListener('keydown', pressed);
}

/** @param {KeyboardEvent} event */
function pressed(event) {
  const { key } = event;
  const target = /** @type {Element} */ (event.target);
  if (event.altKey || document.querySelector('dialog[open]')) return;
  if (event.ctrlKey || event.metaKey) return pressedWithControl(event, target);
  if (key === 'Escape' && target === searchField()) return leaveSearch();
  const action = event.shiftKey ? (WITH_SHIFT[key] ?? ACTIONS[key]) : ACTIONS[key];
  if (!state.by.length && (key === 'ArrowLeft' || key === 'ArrowRight')) return; // these scroll
  if (!action || needsKey(target, key) || (event.repeat && !REPEATED.has(key))) return;
  event.preventDefault();
  action();
}

/**
 * @param {KeyboardEvent} event
 * @param {Element} target
 */
function pressedWithControl(event, target) {
  const isInTable = target === document.body || target.closest('#table-pane') !== null;
  if (event.key.toLowerCase() !== 'a' || !isInTable || needsKey(target, 'a')) return;
  event.preventDefault();
  chooseAllMatching();
}

function leaveSearch() {
  const field = searchField();
  if (state.q || field.value) {
    field.value = '';
    setQuery({ q: '' });
  }
  field.blur();
}

/**
 * Whether a focused control needs a key for itself.
 *
 * @param {Element} target
 * @param {string} key
 */
function needsKey(target, key) {
  const isTyped = target.closest('input, textarea, select, [contenteditable]') !== null;
  if (isTyped && !target.matches('input[type="checkbox"], input[type="range"]')) return true;
  const isUsedByControls = ['ArrowDown', 'ArrowUp', 'ArrowLeft', 'ArrowRight', 'Enter', ' '].includes(key);
  return isUsedByControls && target.closest('button, summary, a, input, pre, [role="separator"]') !== null;
}

/**
 * @param {(id: string) => void} act
 * @returns {boolean} whether a session has the focus
 */
function withFocused(act) {
  const id = focusedSession();
  if (id !== null) act(id);
  return id !== null;
}

function toggleFocused() {
  if (!withFocused(toggle)) actOnGroup('toggle');
}

/**
 * Move the focus, and add the row to those that are chosen.
 *
 * @param {number} by
 */
function extend(by) {
  const from = view.focused;
  moveFocus(by);
  const to = view.focused;
  if (to !== null) chooseRange(from ?? to, to);
}

/**
 * Do an action to the focused session, or to all that are chosen if it is one of them.
 *
 * @param {string} action
 */
function act(action) {
  withFocused(async (id) => (await import('../rows/row_menu.js')).runOn(action, id));
}

function showDetails() {
  const id = focusedSession() ?? (state.selected.length === 1 ? state.selected[0] : null);
  if (id) location.assign(detailsOf(id));
}

function showHelp() {
  const box = dialog();
  if (!box.children.length) fill(box);
  box.showModal();
}

/** @param {HTMLDialogElement} box */
function fill(box) {
  const entries = HELP.flatMap(([keys, words]) => [
    make('dt', {}, ...keys.split('  ').flatMap((key) => [make('kbd', { className: 'key' }, key), ' '])),
    make('dd', {}, words),
  ]);
  const close = make('button', { type: 'button', className: 'button', onclick: () => box.close() }, 'Close');
  box.append(make('h2', { id: 'keys-title' }, 'Keys'), make('dl', {}, ...entries), close);
}
