// The Group menu: the fields by which the table is grouped, level by level.
import { canGroupBy, projectFields } from '../data/fields.js';
import { groupBy, MAX_LEVELS, setOrder } from '../data/grouping.js';
import { on, state } from '../data/store.js';
import { describe, rankedFields } from '../data/suggestions.js';
import { find, make } from '../ui/dom.js';

/** @import { ProjectField } from '../data/fields.js' */
/** @import { GroupOrder } from '../data/address.js' */

const MAX_ENTRIES = 100;
/** @type {[GroupOrder, string][]} */
const ORDERS = [
  ['', 'value'],
  ['-sessions', 'number of sessions'],
  ['-updated', 'latest change'],
];

/** @type {ProjectField[]} */
let fields = [];
/** @type {HTMLElement} */
let levels;
/** @type {HTMLElement} */
let entries;
const search = make('input', { type: 'search', placeholder: 'Group by', autocomplete: 'off', spellcheck: false });
search.ariaLabel = 'Find a field to group by';

/**
 * Fill the menu with what the server knows of the project.
 *
 * @param {HTMLDetailsElement} menu
 */
export async function fill(menu) {
  if (!levels) build(find(menu, '.menu-list'));
  search.value = '';
  draw();
  search.focus();
  fields = await projectFields().catch(() => fields);
  draw();
}

/** @param {HTMLElement} box */
function build(box) {
  levels = make('div', { className: 'levels' });
  entries = make('div', { className: 'entries' });
  box.replaceChildren(search, levels, entries);
  search.addEventListener('input', draw);
  search.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter') return;
    event.preventDefault();
    /** @type {HTMLButtonElement | null} */ (entries.querySelector('button'))?.click();
  });
  on('grouping', draw);
}

function draw() {
  const isFull = state.by.length >= MAX_LEVELS;
  const hadFocus = levels.contains(document.activeElement);
  levels.replaceChildren(...(state.by.length ? [list(), order(), none()] : []));
  levels.hidden = !state.by.length;
  if (hadFocus) search.focus();
  const found = rankedFields(search.value.trim(), fields).filter(
    (field) => !state.by.includes(field.field) && canGroupBy(field),
  );
  const shown = found.slice(0, MAX_ENTRIES);
  entries.hidden = isFull;
  entries.replaceChildren(
    make('h3', {}, state.by.length ? 'Then by' : 'Group by'),
    ...shown.map(entry),
    ...(shown.length ? [] : [make('p', { className: 'dim small' }, 'There is no such field.')]),
  );
}

/** @param {ProjectField} one */
function entry(one) {
  const button = make(
    'button',
    { type: 'button', className: 'item', title: one.field },
    make('span', { className: 'name' }, one.field),
    make('span', { className: 'detail' }, describe(one)),
  );
  button.addEventListener('click', (event) => {
    event.stopPropagation(); // the button leaves the menu, which a click elsewhere closes
    search.value = '';
    groupBy([...state.by, one.field]);
    search.focus();
  });
  return button;
}

function list() {
  const box = make('ol', { ariaLabel: 'Levels' }, ...state.by.map(level));
  /** @type {string | null} */
  let dragged = null;
  box.addEventListener('dragstart', ({ target, dataTransfer }) => {
    dragged = /** @type {HTMLElement} */ (target).dataset.field ?? null;
    if (dragged) dataTransfer?.setData('text/plain', dragged);
  });
  box.addEventListener('dragover', (event) => dragged && event.preventDefault());
  box.addEventListener('drop', (event) => {
    event.preventDefault();
    const over = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest('li'))?.dataset.field;
    if (dragged && over && dragged !== over) move(dragged, state.by.indexOf(over));
  });
  return box;
}

/**
 * @param {string} field
 * @param {number} at
 */
function level(field, at) {
  const buttons = [
    action('↑', `Move ${field} up`, at > 0, () => move(field, at - 1)),
    action('↓', `Move ${field} down`, at < state.by.length - 1, () => move(field, at + 1)),
    action('×', `Do not group by ${field}`, true, () => groupBy(state.by.filter((other) => other !== field))),
  ];
  const item = make('li', { draggable: true }, make('span', { className: 'name', title: field }, field), ...buttons);
  item.dataset.field = field;
  return item;
}

/**
 * @param {string} text
 * @param {string} label
 * @param {boolean} isPossible
 * @param {() => void} act
 */
function action(text, label, isPossible, act) {
  const button = make('button', { type: 'button', className: 'quiet-button', ariaLabel: label, title: label }, text);
  button.disabled = !isPossible;
  button.addEventListener('click', (event) => {
    event.stopPropagation();
    act();
    /** @type {HTMLElement | null} */ (levels.querySelector(`[aria-label="${CSS.escape(label)}"]:enabled`))?.focus();
  });
  return button;
}

/**
 * @param {string} field
 * @param {number} to
 */
function move(field, to) {
  const others = state.by.filter((other) => other !== field);
  groupBy([...others.slice(0, to), field, ...others.slice(to)]);
}

function order() {
  const select = make(
    'select',
    { className: 'chip' },
    ...ORDERS.map(([value, words]) => make('option', { value, selected: value === state.order }, words)),
  );
  select.addEventListener('change', () => setOrder(/** @type {GroupOrder} */ (select.value)));
  const isSorted = /^-?(min|max|last|count)\(/.test(state.sort);
  const note = isSorted
    ? [make('span', { className: 'dim small' }, `now by the mean of ${state.sort.replace('-', '')}`)]
    : [];
  return make('label', { className: 'order' }, 'Order of groups ', select, ...note);
}

function none() {
  const button = make('button', { type: 'button', className: 'item' }, 'No grouping');
  button.addEventListener('click', (event) => {
    event.stopPropagation();
    groupBy([]);
  });
  return button;
}
