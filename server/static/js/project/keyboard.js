// The keyboard.
import { detailsOf } from '../data/session.js';
import { ask, select, state, toggle, zoomTo } from '../data/store.js';
import { focusedRow, moveFocus } from '../table/session_table.js';

const HELP = [
  ['/', 'search sessions'],
  ['j  k  ↓  ↑', 'next, previous session'],
  ['Enter', 'show this session alone'],
  ['Space  x', 'add it to the graphs, or take it away'],
  ['d', 'details of this session: params, texts, images, console'],
  ['drag', 'zoom all charts; double-click or Esc resets'],
  ['t', 'light or dark'],
  ['?', 'these keys'],
];

const dialogBox = () => document.getElementById('keys');

const ACTIONS = {
  '/': () => document.getElementById('search').select(),
  j: () => moveFocus(1),
  ArrowDown: () => moveFocus(1),
  k: () => moveFocus(-1),
  ArrowUp: () => moveFocus(-1),
  Enter: () => focusedRow() && select([focusedRow()]),
  x: () => focusedRow() && toggle(focusedRow()),
  ' ': () => focusedRow() && toggle(focusedRow()),
  d: showDetails,
  t: () => dispatchEvent(new Event('losswise:toggle-theme')),
  '?': showHelp,
  Escape: () => zoomTo(null),
};

function showDetails() {
  const id = focusedRow() ?? (state.selected.length === 1 ? state.selected[0] : null);
  if (id) location.assign(detailsOf(id));
}

function showHelp() {
  const dialog = dialogBox();
  if (!dialog.children.length) fill(dialog);
  dialog.showModal();
}

function fill(dialog) {
  const title = Object.assign(document.createElement('h2'), { id: 'keys-title', textContent: 'Keys' });
  const list = document.createElement('dl');
  for (const [keys, words] of HELP) {
    const term = document.createElement('dt');
    for (const key of keys.split('  '))
      term.append(Object.assign(document.createElement('kbd'), { className: 'key', textContent: key }), ' ');
    list.append(term, Object.assign(document.createElement('dd'), { textContent: words }));
  }
  const close = Object.assign(document.createElement('button'), {
    className: 'button',
    textContent: 'Close',
    type: 'button',
  });
  close.addEventListener('click', () => dialog.close());
  dialog.append(title, list, close);
}

// Keys that a focused control needs for itself.
function isBusy(target, key) {
  if (target.closest('input[type="search"], input[type="text"], textarea, select, [contenteditable]'))
    return true;
  const moves = ['ArrowDown', 'ArrowUp', 'Enter', ' '].includes(key);
  return moves && Boolean(target.closest('button, summary, a, input, pre, [role="separator"]'));
}

export function start() {
  document.getElementById('help').addEventListener('click', showHelp);
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || dialogBox().open) return;
    const field = event.target.closest?.('#search');
    if (field && event.key === 'Escape') {
      if (state.q || field.value) {
        field.value = '';
        ask({ q: '' });
      }
      field.blur();
      return;
    }
    const act = ACTIONS[event.key];
    if (!act || isBusy(event.target, event.key)) return;
    event.preventDefault();
    act();
  });
}
