// What this person has set up in the project. The server keeps it, so that another browser has it too; this one keeps what
// the server does not have yet.
import { readPref, writePref } from '../ui/prefs.js';
import { showToast } from '../ui/toast.js';
import { messageOf, put } from './http.js';
import { page } from './store.js';

const SAVE_DELAY_MS = 300;

/** @type {Record<string, unknown>} */
let stored = {};
/** @type {Map<string, number>} timers, by name */
const saving = new Map();

/** @param {string} name */
const unsavedName = (name) => `${name}.${page.project}.unsaved`;

/** Read what the server has written into the page. */
export function start() {
  stored = JSON.parse(document.getElementById('content')?.dataset.preferences ?? '{}');
}

/**
 * @template T
 * @param {string} name
 * @param {T} fallback
 * @returns {T}
 */
export function preference(name, fallback) {
  const unsaved = readPref(unsavedName(name), null);
  if (unsaved !== null) savePreference(name, unsaved); // the last visit ended before the server had it
  return /** @type {T} */ (stored[name] ?? fallback);
}

/**
 * Keep a preference.
 *
 * @param {string} name
 * @param {unknown} value
 */
export function savePreference(name, value) {
  stored[name] = value;
  writePref(unsavedName(name), value);
  clearTimeout(saving.get(name));
  saving.set(
    name,
    setTimeout(() => save(name, value), SAVE_DELAY_MS),
  );
}

/**
 * @param {string} name
 * @param {unknown} value
 */
async function save(name, value) {
  try {
    await put(`/api/v2/projects/${page.project}/preferences/${name}`, value);
    if (stored[name] === value) writePref(unsavedName(name), null);
  } catch (error) {
    const text = `Your ${name} are kept in this browser only: ${messageOf(error)}`;
    showToast(text, { label: 'Try again', act: () => save(name, value) });
  }
}
