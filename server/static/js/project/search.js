// The search field: searches as one types, and says what is wrong with a query. What helps to write one is loaded when
// the field is first used.
import { list } from '../data/session_list.js';
import { on, setQuery, state } from '../data/store.js';
import { byId, elementById, make } from '../ui/dom.js';

const TYPING_DELAY_MS = 50;

let hasFilters = false;

const searchField = () => elementById('search', HTMLInputElement);

export function start() {
  const field = searchField();
  field.value = state.q;
  let timer = 0;
  field.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(search, TYPING_DELAY_MS);
  });
  let isPointed = false;
  field.addEventListener('pointerdown', () => {
    isPointed = true;
  });
  field.addEventListener('focus', () => helpWriting(isPointed), { once: true });
  field.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') search();
  });
  byId('filter').addEventListener('click', () => withFilters((filters) => filters.openForm(byId('filter'))));
  on('query', () => {
    if (document.activeElement !== field) field.value = state.q;
    if (state.q && !hasFilters) withFilters((filters) => filters.show());
  });
  on('address', () => {
    field.value = state.q;
  });
  on('list', showMistake);
  if (document.activeElement === field) helpWriting(false);
  if (state.q) withFilters((filters) => filters.show());
}

function search() {
  const q = searchField().value.trim();
  if (q !== state.q) setQuery({ q });
}

/** @param {boolean} isPointed */
async function helpWriting(isPointed) {
  const { start: startCompletion } = await import('./completion.js');
  startCompletion(searchField(), isPointed);
}

/** @param {(filters: typeof import('./filters.js')) => void} act */
async function withFilters(act) {
  hasFilters = true; // it follows the query by itself
  act(await import('./filters.js'));
}

/** Say below the search field what is wrong with the query, if anything is. */
function showMistake() {
  const box = byId('mistake');
  const { mistake } = list;
  searchField().ariaInvalid = String(mistake !== null);
  box.hidden = !mistake;
  const key = JSON.stringify(mistake);
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  if (!mistake) return box.replaceChildren();
  const { q, message, start: from, end: to } = mistake;
  const characters = [...q]; // the server counts characters, not UTF-16 units
  const part = (/** @type {number} */ first, /** @type {number} */ last) => characters.slice(first, last).join('');
  const code = make('code', {}, part(0, from), make('mark', {}, part(from, to) || ' '), part(to, characters.length));
  box.replaceChildren(code, make('span', {}, message));
}
