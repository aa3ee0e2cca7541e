// Completion in the search field: what can stand at the cursor, as a list below it.
import { projectFields, valuesOf } from '../data/fields.js';
import { completed, contextAt } from '../data/query_text.js';
import { suggestionsFor } from '../data/suggestions.js';
import { Combobox } from '../ui/combobox.js';

/** @import { Suggestion } from '../data/suggestions.js' */

const TYPING_DELAY_MS = 120;

/**
 * @param {HTMLInputElement} field
 * @param {boolean} isPointed whether the field has the focus because someone has pointed at it
 */
export function start(field, isPointed) {
  /** @type {Combobox<Suggestion>} */
  const box = new Combobox(field, {
    label: 'Completions',
    options: () => suggestionsAtCursor(field),
    marked: () => contextOf(field).prefix,
    accept: (suggestion) => {
      insert(field, suggestion);
      if (!suggestion.goesOn) box.close();
    },
  });
  projectFields().catch(() => {}); // asked for again when they are needed
  if (document.activeElement === field && (field.value || isPointed)) box.update();
}

/** @param {HTMLInputElement} field */
const contextOf = (field) => contextAt(field.value, field.selectionStart ?? field.value.length);

/**
 * @param {HTMLInputElement} field
 * @returns {Promise<Suggestion[]>}
 */
async function suggestionsAtCursor(field) {
  const typed = field.value;
  const context = contextOf(field);
  const fields = await projectFields();
  if (context.expects !== 'value') return suggestionsFor(context, fields, []);
  if (context.operator.includes('~') || !fields.some((one) => one.field === context.field))
    return suggestionsFor(context, fields, []);
  // letters that follow at once need no answers of their own
  await new Promise((done) => setTimeout(done, TYPING_DELAY_MS));
  if (field.value !== typed) return [];
  return suggestionsFor(context, fields, await valuesOf(context.field, context.prefix));
}

/**
 * @param {HTMLInputElement} field
 * @param {Suggestion} suggestion
 */
function insert(field, suggestion) {
  const { value, cursor } = completed(field.value, suggestion);
  field.value = value;
  field.setSelectionRange(cursor, cursor);
  field.focus();
  field.dispatchEvent(new InputEvent('input', { bubbles: true }));
}
