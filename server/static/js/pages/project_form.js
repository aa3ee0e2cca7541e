// The form that edits a project in its row: the description, and which value is the best.
import { listFields } from '../data/api.js';
import { messageOf } from '../data/http.js';
import { find, make } from '../ui/dom.js';
import { showToast, UNDO } from '../ui/toast.js';
import { changedMeanwhile, difference, save, takeBack } from './project_edits.js';

/** @import { Edited } from './project_edits.js' */

const MAX_DESCRIPTION_LENGTH = 2000; // of the server
const BEST = /^(min|max)\(/;

/**
 * Open the form in the place of the description.
 *
 * @param {HTMLElement} row
 * @param {HTMLElement} button that opens it, with what there is now
 * @param {() => Promise<void>} refresh shows what the server has
 */
export function open(row, button, refresh) {
  /** @type {Edited} */
  let known = { description: button.dataset.description ?? '', best: button.dataset.best || null };
  const project = row.dataset.project ?? '';
  const cell = find(row, '[data-cell="name"]');
  const about = find(cell, '.about');
  const text = make('textarea', { className: 'field', rows: 3, maxLength: MAX_DESCRIPTION_LENGTH });
  text.value = known.description;
  const statistic = make('input', { type: 'text', className: 'field', value: known.best ?? '', spellcheck: false });
  statistic.placeholder = 'what most sessions have, held-out first';
  const choices = make('datalist', { id: `statistics-${project}` });
  statistic.setAttribute('list', choices.id);
  const problem = make('p', { className: 'problem', role: 'alert', hidden: true });
  const cancel = make('button', { type: 'button', className: 'button' }, 'Cancel');
  const submit = make('button', { type: 'submit', className: 'button primary' }, 'Save');
  const form = make(
    'form',
    { className: 'project-form' },
    make('label', {}, 'Description', text),
    make('label', {}, 'Best value, such as min(val_loss)', statistic),
    choices,
    problem,
    make('div', { className: 'buttons' }, submit, cancel),
  );
  const close = () => {
    form.replaceWith(about);
    find(about, '[data-edit]').focus();
  };
  cancel.addEventListener('click', close);
  form.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') close();
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    event.stopPropagation();
  });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const before = known;
    const asked = { description: text.value.trim(), best: statistic.value.trim() || null };
    if (!Object.keys(difference(before, asked)).length) return close();
    submit.disabled = true;
    let saved;
    try {
      saved = await save(project, before, asked);
    } catch (error) {
      submit.disabled = false;
      problem.hidden = false;
      problem.textContent = messageOf(error);
      const theirs = changedMeanwhile(error);
      if (!theirs) return;
      problem.textContent = meanwhile(before, theirs);
      submit.textContent = 'Save over theirs';
      // what was left as it was becomes theirs
      if (asked.description === before.description) text.value = theirs.description;
      if (asked.best === before.best) statistic.value = theirs.best ?? '';
      known = theirs;
      return;
    }
    close();
    await refresh();
    const undo = async () => {
      try {
        if (!(await takeBack(project, before, saved))) showToast('Somebody else has changed it since: theirs stays');
      } catch (error) {
        showToast(messageOf(error));
      }
      await refresh();
    };
    showToast('Project changed', { label: UNDO, act: undo });
  });
  about.replaceWith(form);
  text.focus();
  text.setSelectionRange(text.value.length, text.value.length);
  suggest(project, choices);
}

/**
 * What somebody else has changed while the form was open.
 *
 * @param {Edited} before
 * @param {Edited} theirs
 */
function meanwhile(before, theirs) {
  const changed = difference(before, theirs);
  const parts = [];
  if (changed.description !== undefined) parts.push(`the description is now “${theirs.description}”`);
  if (changed.best !== undefined) parts.push(`the best value is now ${theirs.best ?? 'the usual one'}`);
  return `Somebody else has changed this project meanwhile: ${parts.join(', and ')}.`;
}

/**
 * Offer the statistics that the project's sessions have.
 *
 * @param {string} project
 * @param {HTMLElement} choices
 */
async function suggest(project, choices) {
  try {
    const { fields } = await listFields(project);
    const names = fields.map(({ sort }) => sort ?? '').filter((sort) => BEST.test(sort));
    choices.replaceChildren(...names.slice(0, 200).map((value) => make('option', { value })));
  } catch {
    // it can be typed
  }
}
