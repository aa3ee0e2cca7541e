// Dialogs that ask for something. They open over the page, and give the focus back when they close.
import { make } from './dom.js';

/**
 * @typedef {object} Question
 * @property {string} title
 * @property {string} [text]
 * @property {string} action the label of the button that does it
 * @property {boolean} [danger]
 * @property {(Node | string)[]} [content] fields
 * @property {HTMLElement} [focus] the field that has the focus at first
 * @property {AbortSignal} [done] closes the dialog, as if the action had been chosen
 */

/**
 * Ask; the promise gives whether the action was chosen. `check` may keep the dialog open, with a sentence that is shown.
 *
 * @param {Question} question
 * @param {() => Promise<string | null>} [check] called when the action is chosen; null closes the dialog
 * @returns {Promise<boolean>}
 */
export function ask({ title, text, action, danger, content = [], focus, done }, check) {
  return new Promise((resolve) => {
    const id = `question-${++count}`;
    const problem = make('p', { className: 'problem', role: 'alert', hidden: true });
    const cancel = make('button', { type: 'button', className: 'button' }, 'Cancel');
    const submit = make('button', { type: 'submit', className: `button ${danger ? 'danger' : 'primary'}` }, action);
    const form = make(
      'form',
      { method: 'dialog' },
      make('h2', { id }, title),
      ...(text ? [make('p', {}, text)] : []),
      ...content,
      problem,
      make('div', { className: 'buttons' }, cancel, submit),
    );
    const dialog = make('dialog', { className: 'question' }, form);
    dialog.setAttribute('aria-labelledby', id);
    cancel.addEventListener('click', () => dialog.close());
    done?.addEventListener('abort', () => dialog.close('done'));
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      submit.disabled = true;
      const message = check ? await check() : null;
      submit.disabled = false;
      problem.textContent = message ?? '';
      problem.hidden = message === null;
      if (message === null) dialog.close('done');
    });
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'done');
    });
    document.body.append(dialog);
    dialog.showModal();
    focus?.focus();
    if (focus instanceof HTMLInputElement) focus.select();
    if (focus instanceof HTMLTextAreaElement) focus.setSelectionRange(focus.value.length, focus.value.length);
  });
}

let count = 0; // of dialogs so far, for their titles' ids
