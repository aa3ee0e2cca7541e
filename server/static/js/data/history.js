// What the address bar says, and the steps of the back button. A saved view is named, with what differs from it; an address
// that is too long is stored on the server and found by a short id.
import { readPref } from '../ui/prefs.js';
import { readAddress, writeAddress } from './address.js';
import { viewById } from './api.js';
import { emit } from './events.js';
import { post } from './http.js';
import { difference, overlay, shortened, textOf } from './overlay.js';

/** @import { ViewOptions } from './store.js' */

/**
 * @typedef {object} View
 * @property {string} id
 * @property {string} name
 * @property {boolean} shared whether it is the project's; otherwise it is one's own
 * @property {string | null} owner
 * @property {string} search
 * @property {number} version
 * @property {boolean} may_change
 */

/**
 * What the history keeps of an address.
 *
 * @typedef {object} Entry
 * @property {string} full the address, without views and ids
 * @property {string | null} view id
 * @property {boolean} waits whether it is to be stored on the server
 */

// as in server/pages/opening.py
const STORED = 'v';
const VIEW = 'view';
const OWN_VIEW = 'mine'; // with the whole address: others, who do not see the view, see the same
const NO_VIEW = 'none';
const MAX_LENGTH = 2000; // characters; more are not shown, sent on or logged everywhere
const SETTLED_MS = 600;

/** @type {{stored: string | null, view: View | null, default: string | null, problem: string | null}} */
let opened = { stored: null, view: null, default: null, problem: null };
/** @type {Partial<ViewOptions>} how this person drew charts when the page was opened */
let kept = {};
let project = '';
/** @type {View | null} */
let view = null;
/** @type {Map<string, View>} */
const known = new Map();
/** @type {Map<string, string>} ids by address */
const stored = new Map();
let full = '';
let text = ''; // the address that is shown, or stands for the id that is shown
let bar = ''; // what the address bar has of it
let timer = 0;

/** The saved view that is shown, maybe with changes; null for none. */
export const currentView = () => view;

/** What is shown, as an address that needs no view: from '?' on. */
export const currentAddress = () => full;

/** Whether what is shown differs from the view. */
export const isChanged = () => view !== null && changesOf(view) !== '';

/**
 * What is shown otherwise than in a view, as `difference` gives it. Programs write views in words of their own, and
 * without what each person draws charts with: that is no change.
 *
 * @param {View} view
 */
function changesOf({ search }) {
  const changes = difference(search, full);
  const isSame = [{}, kept].some((own) => difference(written(search, own), full) === '');
  return isSame ? '' : changes;
}

/**
 * An address as the page writes it.
 *
 * @param {string} search
 * @param {Partial<ViewOptions>} own how a person draws charts
 */
function written(search, own) {
  const shown = readAddress(search, own);
  shown.columns ??= readAddress(full, {}).columns;
  return writeAddress(shown);
}

/** Why the page does not show what its address names, or ''. */
export const problem = () => opened.problem ?? '';

/** @param {string | null} id */
export function setDefaultView(id) {
  opened.default = id;
}

/**
 * Read the address that the page begins with.
 *
 * @returns {string} from '?' on, with the view and what was stored
 */
export function start() {
  const { project: id = '', opened: json } = document.getElementById('content')?.dataset ?? {};
  project = id;
  kept = readPref('view', {});
  if (json) opened = JSON.parse(json);
  view = opened.view;
  if (view) known.set(view.id, view);
  /** @type {Entry | null | undefined} */
  const entry = history.state;
  text = opened.stored ?? location.search;
  if (opened.stored) stored.set(text, new URLSearchParams(location.search).get(STORED) ?? '');
  full = entry?.waits ? entry.full : expanded(text);
  bar = location.search;
  return full;
}

/**
 * An address without its view, whose part is put in.
 *
 * @param {string} search
 */
function expanded(search) {
  const address = new URLSearchParams(search);
  const isBased = (view && address.has(VIEW)) || (view && search === '');
  const isNone = address.get(VIEW) === NO_VIEW;
  for (const name of [VIEW, OWN_VIEW, STORED]) address.delete(name);
  const own = textOf(address);
  if (view && isBased && !isNone) return overlay(view.search, own);
  address.delete('without');
  return own ? `?${textOf(address)}` : '';
}

/** What the address says after the user has gone back or forward. */
export function wentTo() {
  /** @type {Entry | null} */
  const entry = history.state;
  if (!entry && location.search === bar) return full; // a link to a part of the page
  bar = location.search;
  view = known.get(entry?.view ?? '') ?? null;
  full = entry ? entry.full : expanded(location.search);
  text = shown();
  if (entry?.view && !view) load(entry.view);
  emit('views');
  return full;
}

/** @param {string} id of the view of an earlier visit */
async function load(id) {
  try {
    const found = await viewById(id);
    known.set(id, found);
    if (history.state?.view === id) useView(found);
  } catch {
    // it has been deleted: what it showed is in the history
  }
}

/**
 * Let a view be the one that is shown, whatever is shown now.
 *
 * @param {View | null} used
 */
export function useView(used) {
  choose(used);
  put(full, true);
  emit('views');
}

/**
 * Let the next address that is put be one of a view.
 *
 * @param {View | null} chosen
 */
export function choose(chosen) {
  view = chosen;
  if (chosen) known.set(chosen.id, chosen);
}

/** The address of what is shown, however long. */
function shown() {
  if (!view) return full || (opened.default ? `?${VIEW}=${NO_VIEW}` : '');
  if (!view.shared) return `?${OWN_VIEW}=${view.id}&${full.slice(1) || 'x=step'}`;
  const changes = changesOf(view);
  return `?${VIEW}=${view.id}${changes && `&${changes}`}`;
}

/**
 * Show an address.
 *
 * @param {string} search from '?' on, without a view
 * @param {boolean} replaces whether it takes the place of the one before, so that the back button does not lead there
 * @returns {boolean} whether it is another one
 */
export function put(search, replaces) {
  full = search;
  const before = text;
  text = shown();
  if (text === before && (history.state || !text)) return false;
  const id = stored.get(text);
  const isLong = text.length > MAX_LENGTH;
  /** @type {Entry} */
  const entry = { full, view: view?.id ?? null, waits: isLong && !id };
  const written = !isLong ? text : id ? `?${STORED}=${id}` : shortened(text, MAX_LENGTH);
  if (replaces) history.replaceState(entry, '', written || location.pathname);
  else history.pushState(entry, '', written || location.pathname);
  bar = location.search;
  clearTimeout(timer);
  if (entry.waits) timer = setTimeout(() => store(text), SETTLED_MS);
  emit('views');
  return true;
}

/** @param {string} search */
async function store(search) {
  try {
    const { id } = await post('/api/v2/views/addresses', { project_id: Number(project), search });
    stored.set(search, id);
    if (text !== search) return;
    history.replaceState({ ...history.state, waits: false }, '', `?${STORED}=${id}`);
    bar = location.search;
  } catch {
    // the history of this tab holds it all the same; the next change tries again
  }
}

/**
 * An address of what is shown for other people.
 *
 * @returns {Promise<string>}
 */
export async function linkToShown() {
  // without any text, it would be the plain address, with which others see what they have set up
  const search = (view && !view.shared ? full : text) || '?x=step';
  if (search.length <= MAX_LENGTH) return new URL(search || location.pathname, location.href).href;
  const { id } = await post('/api/v2/views/addresses', { project_id: Number(project), search });
  stored.set(search, id);
  return new URL(`?${STORED}=${id}`, location.href).href;
}
