// The page's state in one place, and the events that tell of its changes. The address holds what a reload must keep.
import { Palette } from '../ui/palette.js';
import { readPref, writePref } from '../ui/prefs.js';
import { DEFAULTS, readAddress, writeAddress } from './address.js';
import { EMPTY } from './column_address.js';
import { emit, on } from './events.js';
import { labelled } from './group_query.js';
import * as addressBar from './history.js';

/** @import { Cards, Grouping, Within } from './address.js' */
/** @import { Layout } from './column_address.js' */
/** @import { View } from './history.js' */
/** @import { Session } from './session.js' */

/** @typedef {'step' | 'elapsed' | 'time' | 'percent'} XMode the quantity on the horizontal axis */
/** @typedef {'connecting' | 'live' | 'unavailable' | 'reconnecting' | 'polling' | 'unreachable'} LiveStatus */
/** @typedef {{min: number, max: number}} Range in units of the horizontal axis */
/** @typedef {'sd' | 'se' | 'minmax' | 'none'} BandKind what the band around a group's mean shows: standard deviation,
 * standard error, from minimum to maximum */

/**
 * @typedef {object} ViewOptions
 * @property {XMode} xMode
 * @property {number} smooth weight of the moving average, 0 for none
 * @property {boolean} logY
 * @property {BandKind} band
 * @property {string} graphFilter
 */

/**
 * Which rows the table has, and in which order.
 *
 * @typedef {object} Query
 * @property {string} q words and terms
 * @property {string} status
 * @property {string} sort
 * @property {'' | 'archive' | 'bin'} place which sessions: '' for those that are neither archived nor in the bin
 */

const AUTOMATIC = 'automatic'; // a change that nobody has asked for

export { emit, on };

/** What the server wrote into the page: the project's id and addresses. */
export const page = { project: '', baseUrl: '', quickstartUrl: '', mayWrite: true };
export const palette = new Palette();

/**
 * Every session that this page knows, by id.
 *
 * @type {Map<string, Session>}
 */
export const sessions = new Map();

/** @type {Query & ViewOptions & {selected: string[], automatic: boolean, allMatching: boolean, excepted: string[],
 *   within: Within | null, zoom: Range | null, columns: Layout | null, notice: string, skew: number} & Cards & Grouping} */
export const state = {
  q: '',
  status: '',
  sort: '-created_at',
  place: '',
  /** Ids of the sessions whose graphs are shown. */
  selected: [],
  /** True until the person selects: the newest sessions are then selected as they come. */
  automatic: true,
  /** Whether every session that matches the query is chosen for an action, but those in `excepted`. The graphs show
   * `selected` only. */
  allMatching: false,
  excepted: [],
  /** Of `allMatching`: only those of this group. */
  within: null,
  zoom: null,
  xMode: 'step',
  smooth: 0,
  logY: false,
  band: 'sd',
  graphFilter: '',
  /** How the table is laid out; null until it is known what this person has kept. */
  columns: null,
  hidden: [],
  wide: [],
  by: [],
  order: '',
  open: [],
  groups: [],
  /** Why a session that was selected is not there, until the next selection. */
  notice: '',
  /** The server's clock minus ours, in seconds. */
  skew: 0,
};

/** Read the state from the page, its address and the preferences. */
export function start() {
  const { project = '', baseUrl = '', quickstart = '', mayWrite } = document.getElementById('content')?.dataset ?? {};
  Object.assign(page, { project, baseUrl, quickstartUrl: quickstart, mayWrite: mayWrite !== 'false' });
  Object.assign(state, labelled(readAddress(addressBar.start(), readPref('view', {}))));
  showInAddress(AUTOMATIC); // also how this person draws charts: the way back leads to that
  palette.load(project);
  if (state.selected.length || state.groups.length) assignColors();
  addEventListener('popstate', () => showAddress(addressBar.wentTo()));
}

/**
 * Show what a saved view holds, as one more step that the back button undoes.
 *
 * @param {View} view
 */
export function openView(view) {
  addressBar.choose(view);
  showAddress(view.search, true);
}

/**
 * Show what an address says.
 *
 * @param {string} search from '?' on
 * @param {boolean} isNew whether it is a new step, rather than one that the user has gone back or forward to
 */
function showAddress(search, isNew = false) {
  const before = { ...state };
  Object.assign(state, labelled(readAddress(search, {})), { allMatching: false });
  state.columns ??= EMPTY;
  if (!isNew && state.automatic && before.automatic) state.selected = before.selected; // the address does not hold those
  lastKind = '';
  if (isNew) showInAddress('address'); // before listeners choose what is shown by itself
  const has = (/** @type {(keyof typeof state)[]} */ ...names) =>
    names.some((name) => JSON.stringify(before[name]) !== JSON.stringify(state[name]));
  if (has('q', 'status', 'sort', 'place')) emit('query');
  if (has('selected', 'groups')) assignColors();
  if (has('selected', 'automatic', 'allMatching')) emit('selection');
  if (has('by', 'order', 'open')) emit('grouping');
  if (has('groups')) emit('groups');
  if (has('xMode', 'smooth', 'logY', 'band', 'graphFilter', 'hidden', 'wide')) emit('view', state);
  if (has('zoom')) emit('zoom');
  if (has('columns')) emit('columns');
  emit('address');
}

/** Give colors to what the charts show: sessions, and groups by 'g:' and their query. */
export const assignColors = () => palette.assign([...state.selected, ...state.groups.map(({ q }) => `g:${q}`)]);

/** The server's time, in unix seconds. */
export const now = () => Date.now() / 1000 + state.skew;

/** The selected sessions that are loaded. */
export const selectedSessions = () =>
  state.selected.map((id) => sessions.get(id)).filter((session) => session !== undefined);

/**
 * @typedef {object} SelectOptions
 * @property {boolean} [automatic] whether these are the newest, which others will follow
 * @property {boolean} [byItself] whether nobody has asked for it
 * @property {string} [notice] why there are fewer, if the user did not choose
 */

/**
 * Show the graphs of these sessions.
 *
 * @param {string[]} ids
 * @param {SelectOptions} [options]
 */
export function select(ids, { automatic = false, byItself = automatic, notice = '' } = {}) {
  const wasAutomatic = state.automatic;
  state.automatic = automatic;
  const wasAll = state.allMatching;
  if (!byItself) state.allMatching = false;
  const unique = [...new Set(ids)];
  if (unique.join() === state.selected.join()) {
    if (wasAutomatic !== automatic) showInAddress(byItself ? AUTOMATIC : 'selection');
    if (wasAll !== state.allMatching || wasAutomatic !== automatic) emit('selection');
    return;
  }
  state.selected = unique;
  state.notice = notice;
  assignColors();
  showInAddress(byItself ? AUTOMATIC : 'selection');
  emit('selection');
}

/**
 * @param {string} id
 * @param {SelectOptions} [options]
 */
export const unselect = (id, options) =>
  select(
    state.selected.filter((other) => other !== id),
    options,
  );

/** @param {string} id */
export function toggle(id) {
  if (!state.allMatching) return state.selected.includes(id) ? unselect(id) : select([...state.selected, id]);
  if (state.within && !state.within.ids().has(id)) return select([id]);
  const isExcepted = state.excepted.includes(id);
  state.excepted = isExcepted ? state.excepted.filter((other) => other !== id) : [...state.excepted, id];
  emit('selection');
}

/**
 * Choose every session that matches the query, also those that are not loaded.
 *
 * @param {Within | null} [within] a group of them
 */
export function chooseAllMatching(within = null) {
  Object.assign(state, { allMatching: true, excepted: [], within });
  emit('selection');
}

/** Choose no longer what matches; the sessions in the graphs are those that are chosen. */
export function endAllMatching() {
  if (!state.allMatching) return;
  Object.assign(state, { allMatching: false, excepted: [], within: null });
  emit('selection');
}

/**
 * Whether a session is chosen, or one of the newest that are shown until the user chooses.
 *
 * @param {string} id
 */
export function isChosen(id) {
  if (!state.allMatching) return state.selected.includes(id);
  return !state.excepted.includes(id) && (state.within === null || state.within.ids().has(id));
}

/**
 * Search, filter or sort the table.
 *
 * @param {Partial<Query>} changes
 */
export function setQuery(changes) {
  const names = Object.keys(changes);
  Object.assign(state, changes);
  if (names.some((name) => name !== 'sort')) state.allMatching = false; // others match now
  showInAddress(names.join());
  emit('query');
}

/**
 * Change how charts are drawn. Axes and smoothing are kept for the next visit.
 *
 * @param {Partial<ViewOptions & Cards>} changes
 */
export function setView(changes) {
  Object.assign(state, changes);
  if ('xMode' in changes && state.zoom !== null) {
    state.zoom = null;
    emit('zoom');
  }
  // hiding a line in the graphs of somebody else's link makes its axes nobody's own
  if (Object.keys(DEFAULTS).some((name) => name in changes)) {
    const { xMode, smooth, logY, band } = state;
    writePref('view', { xMode, smooth, logY, band });
  }
  showInAddress(Object.keys(changes).join());
  emit('view', changes);
}

/**
 * Lay the table out.
 *
 * @param {Layout} columns
 * @param {boolean} byItself whether nobody has asked for it
 */
export function setColumns(columns, byItself = false) {
  state.columns = columns;
  showInAddress(byItself ? AUTOMATIC : 'columns');
  emit('columns');
}

/** @param {Range | null} range null for the whole axis */
export function zoomTo(range) {
  if (range === null && state.zoom === null) return;
  state.zoom = range;
  showInAddress('zoom');
  emit('zoom');
}

const MERGED_MS = 1500;
let lastKind = '';
let lastAt = 0;

/**
 * Put what is shown into the address. Going back undoes one choice: changes of one kind that follow each other quickly,
 * as in typing and dragging, are one.
 *
 * @param {string} kind
 */
export function showInAddress(kind) {
  const at = Date.now();
  const isSame = kind === AUTOMATIC || (kind === lastKind && at - lastAt < MERGED_MS);
  if (addressBar.put(writeAddress(state), isSame)) [lastKind, lastAt] = [kind, at];
}
