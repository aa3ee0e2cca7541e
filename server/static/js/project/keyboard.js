// Keyboard shortcuts, and the dialog that lists them.
import { detailsOf } from '../data/session.js';
import { select, setQuery, state, toggle, zoomTo } from '../data/store.js';
import { focusedRow, moveFocus } from '../table/session_table.js';
import { byId, elementById, make } from '../ui/dom.js';

const HELP = [
  ['/', 'search sessions; ↓ shows what can be asked for'],
  ['j  k  ↓  ↑', 'next, previous session'],
  ['Enter', 'show only this session'],
  ['Space  x', 'add it to the graphs, or remove it'],
  ['d', 'details of this session: params, texts, images, console'],
  ['drag', 'zoom all charts; double-click or Esc resets'],
  ['t', 'light or dark theme'],
  ['?', 'this list'],
];

/** @type {Record<string, () => void>} */
const ACTIONS = {
  '/': () => searchField().select(),
  j: () => moveFocus(1),
  ArrowDown: () => moveFocus(1),
  k: () => moveFocus(-1),
  ArrowUp: () => moveFocus(-1),
  Enter: () => withFocused((id) => select([id])),
  x: () => withFocused(toggle),
  ' ': () => withFocused(toggle),
  d: showDetails,
  t: () => dispatchEvent(new Event('losswise:toggle-theme')),
  '?': showHelp,
  Escape: () => zoomTo(null),
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
  if (event.ctrlKey || event.metaKey || event.altKey || dialog().open) return;
  if (key === 'Escape' && target === searchField()) return leaveSearch();
  const act = ACTIONS[key];
  if (!act || needsKey(target, key)) return;
  event.preventDefault();
  act();
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
  if (target.closest('input[type="search"], input[type="text"], textarea, select, [contenteditable]')) return true;
  const isUsedByControls = ['ArrowDown', 'ArrowUp', 'Enter', ' '].includes(key);
  return isUsedByControls && target.closest('button, summary, a, input, pre, [role="separator"]') !== null;
}

/** @param {(id: string) => void} act */
function withFocused(act) {
  const id = focusedRow();
  if (id !== null) act(id);
}

function showDetails() {
  const id = focusedRow() ?? (state.selected.length === 1 ? state.selected[0] : null);
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
