// The form that adds a term to the query, or edits one: a column, a condition and a value.
import { projectFields, valuesOf } from '../data/fields.js';
import { fieldText } from '../data/query_text.js';
import { describe, operatorsOf, rankedFields, valueOptions } from '../data/suggestions.js';
import { Combobox } from '../ui/combobox.js';
import { make } from '../ui/dom.js';

/** @import { ProjectField } from '../data/fields.js' */
/** @import { PlacedTerm, Term } from '../data/query_text.js' */

/**
 * @typedef {object} FormOptions
 * @property {PlacedTerm[] | null} terms of the query; null if it is no plain list of terms
 * @property {PlacedTerm | null} term that is edited; null for a new one
 * @property {boolean} hasMistake whether the query cannot be understood, so that nothing can be added to it
 * @property {(term: Term | null) => void} apply writes the term; removes it if there is none
 */

const ANY_TEXT = 'any text';
const ANY_TEXT_WORDS = 'tag, group, tags, params, note';
const HAS = 'exists';
const HAS_NOT = 'is missing';
const MARGIN = 12; // pixels to the window's edges
const WIDTH = 300;

/** @type {HTMLDialogElement | null} */
let dialog = null;
/** @type {ProjectField[]} */
let fields = [];
/** @type {HTMLElement} */
let opener;
/** @type {FormOptions} */
let options;

const field = textInput('Column');
const condition = make('select');
const value = textInput('Value');
const negated = make('input', { type: 'checkbox' });
const negatedLabel = make('label', { className: 'check' }, negated, 'not');
const valueLabel = labelled('Value', value);
const note = make('p', { className: 'dim small' });
const apply = make('button', { type: 'submit', className: 'button primary' });
const remove = make('button', { type: 'button', className: 'button' }, 'Remove');

/** @param {string} label */
function textInput(label) {
  return make('input', { type: 'text', autocomplete: 'off', spellcheck: false, ariaLabel: label });
}

/**
 * A text input below its label. That is no <label>, whose click on the list of options would count as one on the input.
 *
 * @param {string} label
 * @param {HTMLInputElement} input
 */
function labelled(label, input) {
  return make('div', { className: 'field' }, make('span', {}, label), make('div', { className: 'box' }, input));
}

/**
 * @param {HTMLElement} anchor the button below which the form opens
 * @param {FormOptions} given
 */
export async function open(anchor, given) {
  dialog ??= build();
  if (dialog.open) {
    close();
    if (anchor === opener) return; // the second click closes it
  }
  opener = anchor;
  options = given;
  fill(given.term);
  dialog.show();
  anchor.ariaExpanded = 'true';
  place(anchor);
  (given.term?.field ? value : field).focus();
  fields = await projectFields().catch(() => []);
  offerConditions(condition.value || given.term?.operator || '');
}

function build() {
  const form = make(
    'form',
    { method: 'dialog' },
    labelled('Column', field),
    make('label', {}, make('span', {}, 'Condition'), condition),
    valueLabel,
    negatedLabel,
    note,
    make('div', { className: 'actions' }, remove, apply),
  );
  const box = make('dialog', { id: 'filter-form', className: 'popover' }, form);
  box.ariaLabel = 'Filter';
  document.body.append(box);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    submit();
  });
  remove.addEventListener('click', () => {
    close();
    options.apply(null);
  });
  field.addEventListener('input', () => offerConditions(condition.value));
  condition.addEventListener('change', showValue);
  box.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    event.stopPropagation();
    close();
  });
  document.addEventListener('pointerdown', ({ target }) => {
    const element = /** @type {Element} */ (target);
    if (box.open && !box.contains(element) && element !== opener) close();
  });
  box.addEventListener('focusout', ({ relatedTarget }) => {
    if (relatedTarget && !box.contains(/** @type {Node} */ (relatedTarget))) close();
  });
  addEventListener('resize', () => box.open && place(opener));
  new Combobox(field, {
    label: 'Columns',
    options: columnOptions,
    marked: () => field.value,
    accept: (option) => {
      field.value = option.label;
      offerConditions(condition.value);
      (value.closest('[hidden]') ? apply : value).focus();
    },
  });
  new Combobox(value, {
    label: 'Values',
    options: valuesOfColumn,
    marked: () => (value.value === options.term?.value ? '' : value.value),
    accept: (option) => {
      value.value = option.label;
    },
  });
  return box;
}

/** @param {PlacedTerm | null} term */
function fill(term) {
  const isWord = term?.kind === 'word';
  field.value = isWord ? ANY_TEXT : (term?.field ?? '');
  value.value = term?.value ?? '';
  condition.replaceChildren();
  const isNegatedTerm = term?.kind === 'term' && term.negated;
  negated.checked = isNegatedTerm;
  negatedLabel.hidden = !isNegatedTerm;
  apply.textContent = term ? 'Update' : 'Add filter';
  remove.hidden = !term;
  apply.disabled = options.hasMistake && !options.terms;
  note.textContent = apply.disabled ? 'The query has a mistake. Correct it first.' : '';
  note.hidden = !note.textContent;
  const chosen = term?.kind === 'has' ? (term.negated ? HAS_NOT : HAS) : isWord && term.negated ? '!~' : '';
  offerConditions(chosen || (term?.operator ?? ''));
}

/** The field as a query has it; '' for words in any text. */
const chosenField = () => (field.value === ANY_TEXT ? '' : (known()?.field ?? fieldText(field.value)));

/** What the project knows of the field. */
const known = () => fields.find((one) => one.field === field.value.trim() || one.name === field.value.trim());

/**
 * Offer the conditions that suit the field.
 *
 * @param {string} chosen
 */
function offerConditions(chosen) {
  /** @type {[string, string][]} */
  const pairs =
    field.value === ANY_TEXT
      ? [
          ['~', 'contains'],
          ['!~', 'does not contain'],
        ]
      : [...operatorsOf(known()?.kind ?? 'mixed').map(withSign), [HAS, HAS], [HAS_NOT, HAS_NOT]];
  if (chosen && !pairs.some(([operator]) => operator === chosen) && options.term?.operator === chosen)
    pairs.unshift([chosen, chosen]);
  condition.replaceChildren(...pairs.map(([operator, words]) => make('option', { value: operator }, words)));
  if (pairs.some(([operator]) => operator === chosen)) condition.value = chosen;
  showValue();
}

/** @param {[string, string]} pair */
const withSign = ([operator, words]) => /** @type {[string, string]} */ ([operator, `${operator}  ${words}`]);

function showValue() {
  valueLabel.hidden = [HAS, HAS_NOT].includes(condition.value);
}

async function columnOptions() {
  fields = await projectFields().catch(() => fields);
  const typed = field.value.trim();
  const isChosen = known()?.field === typed || typed === ANY_TEXT;
  const found = rankedFields(isChosen ? '' : typed, fields).slice(0, 60);
  const any = isChosen || ANY_TEXT.startsWith(typed.toLowerCase()) ? [{ label: ANY_TEXT, detail: ANY_TEXT_WORDS }] : [];
  return [...any, ...found.map((one) => ({ label: one.field, detail: describe(one) }))];
}

async function valuesOfColumn() {
  const one = known();
  if (!one || condition.value.includes('~')) return [];
  const typed = value.value.trim();
  const isChosen = typed === options.term?.value;
  const wanted = isChosen ? '' : typed; // all, to choose another one
  const values = await valuesOf(one.field, wanted).catch(() => []);
  return valueOptions(one, values, wanted).map(({ value: label, detail }) => ({ label, detail }));
}

function submit() {
  const term = written();
  if (!term) return (field.value.trim() ? value : field).focus();
  close();
  options.apply(term);
}

/**
 * The term that the form describes; null if something is missing.
 *
 * @returns {Term | null}
 */
function written() {
  const operator = condition.value;
  const text = value.value.trim();
  const name = chosenField();
  if (field.value.trim() === '' || (!valueLabel.hidden && !text && !name)) return null;
  const none = { field: null, operator: null, value: null, quoted: false, negated: false };
  if (!name) return { ...none, kind: 'word', value: text, negated: operator === '!~' };
  if (valueLabel.hidden) return { ...none, kind: 'has', field: name, negated: operator === HAS_NOT };
  if (!text && known()?.kind !== 'text') return null;
  return {
    kind: 'term',
    field: name,
    operator,
    value: text,
    quoted: Boolean(options.term?.quoted),
    negated: negated.checked,
  };
}

function close() {
  if (!dialog?.open) return;
  const hadFocus = dialog.contains(document.activeElement);
  dialog.close();
  opener.ariaExpanded = 'false';
  if (hadFocus) (opener.isConnected ? opener : document.getElementById('filter'))?.focus();
}

/** @param {HTMLElement} anchor */
function place(anchor) {
  if (!dialog) return;
  const { left, bottom } = anchor.getBoundingClientRect();
  const width = Math.min(WIDTH, innerWidth - 2 * MARGIN);
  dialog.style.width = `${width}px`;
  dialog.style.left = `${Math.max(MARGIN, Math.min(left, innerWidth - width - MARGIN))}px`;
  dialog.style.top = `${bottom + 6}px`;
}
