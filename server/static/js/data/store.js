// The page's state in one place, and the events that tell of its changes. The address holds what a reload must keep.
import { Palette } from '../ui/palette.js';
import { readPref, writePref } from '../ui/prefs.js';

/** @import { Session } from './session.js' */

/** @typedef {'step' | 'elapsed' | 'time' | 'percent'} XMode the quantity on the horizontal axis */
/** @typedef {'connecting' | 'live' | 'unavailable' | 'reconnecting' | 'polling' | 'unreachable'} LiveStatus */
/** @typedef {{min: number, max: number}} Range in units of the horizontal axis */

/**
 * The page's events and what their listeners are given.
 *
 * @typedef {object} Events
 * @property {undefined} selection the selected sessions have changed
 * @property {undefined} query search, status or sort has changed
 * @property {Partial<ViewOptions>} view how charts are drawn has changed
 * @property {undefined} zoom
 * @property {boolean} refining whether a zoomed chart waits for finer points
 * @property {undefined} columns the table's columns have changed
 * @property {undefined} list the table's rows have changed
 * @property {undefined} loading rows are being loaded
 * @property {string} arrived a session has been added to the table, by id
 * @property {string[]} started sessions have been created, by id, the latest last
 * @property {Session} session a session is new or has changed
 * @property {string} deleted a session is gone, by id
 * @property {string[]} series the points of graphs have changed, by id
 * @property {LiveStatus} live
 * @property {string} message text for screen readers
 */

/**
 * @typedef {object} ViewOptions
 * @property {XMode} xMode
 * @property {number} smooth weight of the moving average, 0 for none
 * @property {boolean} logY
 * @property {string} graphFilter
 */

/**
 * @typedef {object} Query
 * @property {string} q words to search for
 * @property {string} status
 * @property {string} sort
 */

const NO_SELECTION = 'none';
const bus = new EventTarget();

/**
 * Call `listener` with what each event of this name carries.
 *
 * @template {keyof Events} Name
 * @param {Name} name
 * @param {(detail: Events[Name]) => void} listener
 * @param {AddEventListenerOptions} [options]
 */
export const on = (name, listener, options) =>
  bus.addEventListener(name, (event) => listener(/** @type {CustomEvent} */ (event).detail), options);

/**
 * @template {keyof Events} Name
 * @param {Name} name
 * @param {Events[Name]} [detail]
 */
export const emit = (name, detail) => bus.dispatchEvent(new CustomEvent(name, { detail }));

/** What the server wrote into the page: the project's id and addresses. */
export const page = { project: '', baseUrl: '', quickstartUrl: '' };
export const palette = new Palette();

/**
 * Every session that this page knows, by id.
 *
 * @type {Map<string, Session>}
 */
export const sessions = new Map();

/** @type {Query & ViewOptions & {selected: string[], automatic: boolean, zoom: Range | null, notice: string, skew: number}} */
export const state = {
  q: '',
  status: '',
  sort: '-created_at',
  /** Ids of the sessions whose graphs are shown. */
  selected: [],
  /** True until the person selects: the newest sessions are then selected as they come. */
  automatic: true,
  zoom: null,
  xMode: 'step',
  smooth: 0,
  logY: false,
  graphFilter: '',
  /** Why a session that was selected is not there, until the next selection. */
  notice: '',
  /** The server's clock minus ours, in seconds. */
  skew: 0,
};

/** Read the state from the page, its address and the preferences. */
export function start() {
  const { project = '', baseUrl = '', quickstart = '' } = document.getElementById('content')?.dataset ?? {};
  Object.assign(page, { project, baseUrl, quickstartUrl: quickstart });
  const query = new URLSearchParams(location.search);
  Object.assign(state, readPref('view', {}), {
    q: query.get('q') ?? '',
    status: query.get('status') ?? '',
    sort: query.get('sort') ?? '-created_at',
    selected: query.getAll('s').filter((id) => id !== NO_SELECTION),
    automatic: !query.has('s'),
  });
  palette.load(project);
  if (state.selected.length) palette.assign(state.selected);
}

/** The server's time, in unix seconds. */
export const now = () => Date.now() / 1000 + state.skew;

/** The selected sessions that are loaded. */
export const selectedSessions = () =>
  state.selected.map((id) => sessions.get(id)).filter((session) => session !== undefined);

/**
 * Show the graphs of these sessions.
 *
 * @param {string[]} ids
 * @param {{automatic?: boolean, notice?: string}} [options] `notice` says why there are fewer, if the user did not choose
 */
export function select(ids, { automatic = false, notice = '' } = {}) {
  const wasAutomatic = state.automatic;
  state.automatic = automatic;
  const unique = [...new Set(ids)];
  if (unique.join() === state.selected.join()) {
    if (wasAutomatic !== automatic) writeAddress();
    return;
  }
  state.selected = unique;
  state.notice = notice;
  palette.assign(unique);
  writeAddress();
  emit('selection');
}

/**
 * @param {string} id
 * @param {{automatic?: boolean, notice?: string}} [options]
 */
export const unselect = (id, options) =>
  select(
    state.selected.filter((other) => other !== id),
    options,
  );

/** @param {string} id */
export const toggle = (id) => (state.selected.includes(id) ? unselect(id) : select([...state.selected, id]));

/**
 * Search, filter or sort the table.
 *
 * @param {Partial<Query>} changes
 */
export function setQuery(changes) {
  Object.assign(state, changes);
  writeAddress();
  emit('query');
}

/**
 * Change how charts are drawn. Kept for the next visit.
 *
 * @param {Partial<ViewOptions>} changes
 */
export function setView(changes) {
  Object.assign(state, changes);
  if ('xMode' in changes) zoomTo(null);
  const { xMode, smooth, logY } = state;
  writePref('view', { xMode, smooth, logY });
  emit('view', changes);
}

/** @param {Range | null} range null for the whole axis */
export function zoomTo(range) {
  if (range === null && state.zoom === null) return;
  state.zoom = range;
  emit('zoom');
}

function writeAddress() {
  const address = new URLSearchParams();
  if (state.q) address.set('q', state.q);
  if (state.status) address.set('status', state.status);
  if (state.sort !== '-created_at') address.set('sort', state.sort);
  // what the page has selected by itself is not kept: at the next visit, others are the newest
  if (!state.automatic)
    for (const id of state.selected.length ? state.selected : [NO_SELECTION]) address.append('s', id);
  const text = address.toString().replaceAll('%28', '(').replaceAll('%29', ')');
  history.replaceState(null, '', text ? `?${text}` : location.pathname);
}
