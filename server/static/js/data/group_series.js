// Mean and spread over groups of sessions, behind the charts: fetched for the cards that are in sight, finer for a zoom,
// and again while sessions of a group run.

import { askedOf } from './group_members.js';
import { getGroupSeries } from './group_series_api.js';
import { isAbort, isPassing, messageOf } from './http.js';
import { emit, on, page, state } from './store.js';

/** @import { GroupColumns, GroupSeries } from './group_series_api.js' */
/** @import { Window } from './layer.js' */

const MAX_REQUESTS = 2; // at a time: each may be a second's work for the server
const REFRESH_MS = 1000; // between two fetches of a graph
const REFRESH_SHARE = 4; // or so many times as long as a fetch takes
const RETRY_MS = 3000;
const ZOOM_DELAY_MS = 60;
const WIDTH_STEP = 50; // pixels: cards of nearly the same width ask the same

/** @typedef {Omit<GroupSeries, 'series'> & {series: Map<string, GroupColumns>}} GroupLayer */

/**
 * A title's graphs of a group.
 *
 * @typedef {object} Entry
 * @property {string} q
 * @property {string} title
 * @property {GroupLayer | null} full
 * @property {GroupLayer | null} zoom finer bins of the zoomed window
 * @property {boolean} wanted whether a card that is in sight shows it
 * @property {boolean} stale whether `full` is to be fetched again
 * @property {boolean} zoomStale whether `zoom` is
 * @property {boolean} fetching
 * @property {string} error why the server does not give it; it is not asked again until sessions change
 * @property {number} retryAt when it may be fetched again after a failure, in milliseconds
 * @property {number} nextAt when what is here may be
 * @property {number} timer
 */

/** @type {Map<string, Entry>} */
const entries = new Map();
/** @type {Entry[]} */
const queue = [];
let requests = 0;
let width = 500;
let zoomTimer = 0;
let zoomRequest = new AbortController();
/** @type {(layer: GroupLayer) => Window | null} */
let windowOf = () => null;

/**
 * @param {(layer: GroupLayer) => Window | null} stepWindow the zoom's window in steps
 */
export function start(stepWindow) {
  windowOf = stepWindow;
  on('members', (q) => {
    for (const entry of entries.values()) if (entry.q === q) refresh(entry);
  });
  on('zoom', zoomed);
  on('groups', forget);
  on('query', forget);
}

/**
 * @param {string} q
 * @param {string} title
 */
const keyOf = (q, title) => JSON.stringify([state.place, q, title]);

/** Forget groups that are not shown any more, and those of another place. */
function forget() {
  for (const [key, { q, title }] of entries)
    if (key !== keyOf(q, title) || !state.groups.some((group) => group.q === q)) entries.delete(key);
}

/** @param {Entry} entry */
function refresh(entry) {
  Object.assign(entry, { stale: true, zoomStale: true, error: '' });
  fetchSoon(entry);
}

/**
 * Have a title's series for a card, as long as the card is in sight.
 *
 * @param {string} q
 * @param {string} title
 * @param {number | null} pixels the chart's width; null if the card is out of sight
 */
export function want(q, title, pixels) {
  const key = keyOf(q, title);
  const entry = entries.get(key) ?? newEntry(q, title);
  entries.set(key, entry);
  entry.wanted = pixels !== null;
  if (pixels !== null) width = Math.ceil(pixels / WIDTH_STEP) * WIDTH_STEP;
  fetchSoon(entry);
}

/**
 * @param {string} q
 * @param {string} title
 * @returns {Entry}
 */
const newEntry = (q, title) => ({
  q,
  title,
  full: null,
  zoom: null,
  wanted: false,
  stale: true,
  zoomStale: true,
  fetching: false,
  error: '',
  retryAt: 0,
  nextAt: 0,
  timer: 0,
});

/**
 * The layer to draw, the finer one if there is one; null until it is here.
 *
 * @param {string} q
 * @param {string} title
 */
export function layerOf(q, title) {
  const entry = entries.get(keyOf(q, title));
  return (state.zoom && entry?.zoom) || entry?.full || null;
}

/**
 * Why there is no layer; '' if it is on its way.
 *
 * @param {string} q
 * @param {string} title
 */
export const errorOf = (q, title) => entries.get(keyOf(q, title))?.error ?? '';

/**
 * What of an entry is to be fetched next: a window, null for the whole, or undefined if nothing is.
 *
 * @param {Entry} entry
 * @returns {Window | null | undefined}
 */
function nextWindow({ full, zoom, stale, zoomStale }) {
  if (!full) return null;
  const window = state.zoom && full.size > 1 ? windowOf(full) : null; // bins of one step cannot be finer
  if (window && (!zoom || zoomStale)) return window;
  return stale ? null : undefined;
}

/**
 * Fetch what a card lacks, as soon as its last fetch is long enough ago.
 *
 * @param {Entry} entry
 */
function fetchSoon(entry) {
  const { wanted, fetching, error, full, zoom } = entry;
  const window = nextWindow(entry);
  if (!wanted || fetching || error || window === undefined) return;
  const isHere = full && (zoom || !window);
  const left = (isHere ? entry.nextAt : entry.retryAt) - performance.now();
  if (left > 0) {
    const act = () => {
      entry.timer = 0;
      fetchSoon(entry);
    };
    entry.timer ||= setTimeout(act, left);
    return;
  }
  if (!queue.includes(entry)) queue.push(entry);
  fetchQueued();
}

function fetchQueued() {
  while (requests < MAX_REQUESTS && queue.length) {
    const entry = /** @type {Entry} */ (queue.shift());
    const window = nextWindow(entry);
    const isShown = entry.wanted && entries.get(keyOf(entry.q, entry.title)) === entry;
    if (isShown && !entry.fetching && window !== undefined) fetchEntry(entry, window);
  }
}

/**
 * @param {Entry} entry
 * @param {Window | null} window
 */
async function fetchEntry(entry, window) {
  const { q, title } = entry;
  const began = performance.now();
  const { signal } = zoomRequest;
  const size = window ? { ...window, width: Math.round(width * 1.2) } : { width };
  requests += 1;
  entry.fetching = true;
  entry[window ? 'zoomStale' : 'stale'] = false;
  try {
    const { series, ...facts } = await getGroupSeries(
      page.project,
      { ...askedOf(q), title, ...size },
      window && signal,
    );
    const layer = { ...facts, series: new Map(Object.entries(series)) };
    if (!window) entry.full = layer;
    else if (!signal.aborted) entry.zoom = layer;
  } catch (error) {
    entry[window ? 'zoomStale' : 'stale'] = true;
    if (!isAbort(error)) entry.retryAt = performance.now() + RETRY_MS;
    if (!isAbort(error) && !isPassing(error)) entry.error = messageOf(error);
  }
  requests -= 1;
  entry.fetching = false;
  const now = performance.now();
  entry.nextAt = Math.max(entry.retryAt, now + REFRESH_MS, now + REFRESH_SHARE * (now - began));
  if (entries.get(keyOf(q, title)) === entry) emit('groupseries', { q, title });
  fetchQueued();
  fetchSoon(entry);
}

function zoomed() {
  zoomRequest.abort();
  zoomRequest = new AbortController();
  for (const entry of entries.values()) entry.zoom = null;
  clearTimeout(zoomTimer);
  zoomTimer = setTimeout(() => {
    for (const entry of entries.values()) fetchSoon(entry);
  }, ZOOM_DELAY_MS);
}
