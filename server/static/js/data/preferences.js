// What this person has set up in the project. The server keeps it, so that another browser has it too.
import { readPref, writePref } from '../ui/prefs.js';
import { put } from './api.js';
import { page } from './store.js';

const SAVE_DELAY_MS = 600;

/** @type {Record<string, unknown>} */
let stored = {};
/** @type {Map<string, number>} timers, by name */
const saving = new Map();

/** Read what the server has written into the page. */
export function start() {
  stored = JSON.parse(document.getElementById('content')?.dataset.preferences ?? '{}');
}

const localName = (/** @type {string} */ name) => `${name}.${page.project}`;

/**
 * @template T
 * @param {string} name
 * @param {T} fallback
 * @returns {T}
 */
export const preference = (name, fallback) =>
  /** @type {T} */ (stored[name] ?? readPref(`${localName(name)}.layout`, fallback));

/**
 * Keep a preference: in this browser at once, on the server after a moment in which it did not change again.
 *
 * @param {string} name
 * @param {unknown} value
 */
export function savePreference(name, value) {
  stored[name] = value;
  writePref(`${localName(name)}.layout`, value);
  clearTimeout(saving.get(name));
  const save = () => put(`/api/v2/projects/${page.project}/preferences/${name}`, value).catch(() => {}); // kept here
  saving.set(name, setTimeout(save, SAVE_DELAY_MS));
}
