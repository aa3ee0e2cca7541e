// The terms of the query as chips below the toolbar, each of which can be edited or removed. A query that is no plain
// list of terms is one chip. What the terms are, the server says.
import { parseQuery } from '../data/api.js';
import { isAbort } from '../data/http.js';
import { termText, withMore, withTerm } from '../data/query_text.js';
import { list } from '../data/session_list.js';
import { on, setQuery, state } from '../data/store.js';
import { unitsBefore } from '../ui/characters.js';
import { byId, elementById, make } from '../ui/dom.js';
import { shorten } from '../ui/format.js';

/** @import { PlacedTerm } from '../data/query_text.js' */

const MAX_LABEL = 60; // characters
/** @type {Record<string, string>} */
const SIGNS = { '!=': '≠', '<=': '≤', '>=': '≥', '~': 'matches', '!~': 'does not match' };

/** @type {AbortController | null} */
let request = null;
/** The query that the chips show, and its terms; null if it is no plain list of them. */
let shown = { q: '', terms: /** @type {PlacedTerm[] | null} */ ([]) };

on('query', show);
on('list', markMistake);

/** Show the terms of the current query. */
export async function show() {
  const { q } = state;
  if (q === shown.q) return;
  request?.abort();
  request = new AbortController();
  const field = byId('search');
  /** @type {PlacedTerm[] | null} */
  let terms = [];
  try {
    if (q) terms = await parseQuery(q, request.signal);
  } catch (error) {
    if (isAbort(error)) return;
    // it has a mistake, which the search field tells; chips do not come and go while someone writes
    if (document.activeElement === field) return field.addEventListener('blur', show, { once: true });
    terms = null;
  }
  if (q !== state.q) return;
  shown = { q, terms };
  draw();
}

/** Write a query into the address and the search field. */
function setText(/** @type {string} */ q) {
  elementById('search', HTMLInputElement).value = q;
  setQuery({ q });
}

function draw() {
  const box = byId('filters');
  const { q, terms } = shown;
  box.hidden = !q;
  const chips = terms ? terms.map(chip) : q ? [customChip(q)] : [];
  if (chips.length)
    chips.push(make('button', { type: 'button', className: 'quiet-button', onclick: () => setText('') }, 'Clear'));
  const focused = [...box.children].findIndex((child) => child.contains(document.activeElement));
  box.replaceChildren(...chips);
  markMistake();
  if (focused >= 0) focusNear(focused);
}

/**
 * Keep the focus near a chip that is gone, for people who use the keyboard.
 *
 * @param {number} at
 */
function focusNear(at) {
  const buttons = [...byId('filters').querySelectorAll('.remove')];
  const next = buttons[Math.min(at, buttons.length - 1)] ?? byId('filter');
  if (next instanceof HTMLElement) next.focus();
}

/**
 * A term in a few words.
 *
 * @param {PlacedTerm} term
 */
export function wordsOf({ kind, negated, field, operator, value }) {
  if (kind === 'word') return `${negated ? 'without' : ''} “${value}”`.trim();
  if (kind === 'has') return `${field} ${negated ? 'is missing' : 'exists'}`;
  return `${negated ? 'not ' : ''}${field} ${SIGNS[operator ?? ''] ?? operator} ${value || '""'}`;
}

/**
 * @param {PlacedTerm} term
 * @param {number} at
 */
function chip(term, at) {
  const words = wordsOf(term);
  const edit = make('button', { type: 'button', title: `${words}: edit` }, shorten(words, MAX_LABEL));
  edit.addEventListener('click', () => openForm(edit, at));
  const remove = make('button', { type: 'button', className: 'remove', title: 'Remove' }, '×');
  remove.ariaLabel = `Remove ${words}`;
  remove.addEventListener('click', () => setText(withTerm(shown.q, shown.terms ?? [], at, '')));
  return make('span', { className: 'term' }, edit, remove);
}

/** @param {string} q */
function customChip(q) {
  const edit = make('button', { type: 'button', title: `${q}: edit as text` }, 'Custom query');
  edit.addEventListener('click', () => elementById('search', HTMLInputElement).focus());
  const remove = make(
    'button',
    { type: 'button', className: 'remove', title: 'Remove', onclick: () => setText('') },
    '×',
  );
  remove.ariaLabel = 'Remove the query';
  return make('span', { className: 'term' }, edit, remove);
}

/** Mark the term that the server does not understand. */
function markMistake() {
  const { mistake } = list;
  const isOfShown = mistake?.q === shown.q;
  const units = unitsBefore(shown.q);
  [...byId('filters').querySelectorAll('.term')].forEach((element, at) => {
    const term = shown.terms?.[at];
    const isWrong =
      isOfShown && mistake && (!term || (units(mistake.start) < term.end && units(mistake.end) > term.start));
    element.classList.toggle('wrong', Boolean(isWrong));
  });
}

/**
 * Open the form that adds a term, or edits one.
 *
 * @param {HTMLElement} anchor the button that opens it
 * @param {number} [at] the term to edit
 */
export async function openForm(anchor, at) {
  const { open } = await import('./filter_form.js');
  await show();
  open(anchor, {
    terms: shown.terms,
    term: at === undefined ? null : (shown.terms?.[at] ?? null),
    hasMistake: list.mistake?.q === state.q,
    apply: (term) => {
      const text = term ? termText(term) : '';
      if (at !== undefined && shown.terms) setText(withTerm(shown.q, shown.terms, at, text));
      else if (term) setText(withMore(state.q, shown.terms, text));
    },
  });
}
