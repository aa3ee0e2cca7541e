// The points behind the charts: fetches those of visible graphs, adds live ones, and fetches finer ones for a zoom.
import { getSeries } from './api.js';
import { isMissing, statusOf } from './http.js';
import { advance, layerFrom } from './layer.js';
import { emit, on, sessions, state } from './store.js';

/** @import { GraphSeries } from './api.js' */
/** @import { Entry, Window } from './layer.js' */
/** @import { PointsEvent } from './live_updates.js' */

const MAX_GRAPHS = 100; // in a request
const FETCH_INTERVAL_MS = 100; // between two fetches of a graph that live events cause
const SUMMARY_FETCH_INTERVAL_MS = 1000;
const RETRY_MS = 2000;
const ZOOM_DELAY_MS = 60;

/** @type {Map<string, Entry>} by graph */
const entries = new Map();
/** @type {Set<string>} */
const queue = new Set();
let isFlushPlanned = false;
let width = 500;
let zoomTimer = 0;
let zoomAgainTimer = 0;
let zoomRequest = new AbortController();
/** @type {(entry: Entry) => Window | null} */
let windowOf = () => null;

/**
 * @param {(entry: Entry) => Window | null} stepWindow the zoom's window of a graph in steps
 */
export function start(stepWindow) {
  windowOf = stepWindow;
  on('zoom', () => {
    for (const entry of entries.values()) Object.assign(entry, { zoom: null, zoomFetching: false });
    zoomRequest.abort();
    zoomRequest = new AbortController();
    emitRefining();
    if (state.zoom) fetchZoomSoon();
  });
  on('series', () => {
    if (state.zoom) fetchZoomSoon();
  });
  on('deleted', (id) => {
    for (const [graph, entry] of entries) if (entry.session === id) entries.delete(graph);
  });
}

/**
 * @param {string} graph
 * @param {string} session
 */
function entryOf(graph, session) {
  let entry = entries.get(graph);
  if (!entry) {
    entry = {
      session,
      full: null,
      zoom: null,
      wanted: false,
      stale: true,
      fetching: false,
      fetchedAt: -Infinity,
      timer: 0,
      missed: [],
      zoomFetching: false,
      zoomMissed: [],
    };
    entries.set(graph, entry);
  }
  return entry;
}

/**
 * Set the width of charts in pixels, to which the server's summaries are fitted.
 *
 * @param {number} pixels
 */
export const setWidth = (pixels) => {
  width = pixels;
};

/**
 * Have the points of a graph that is visible.
 *
 * @param {string} graph
 * @param {string} session
 */
export function requestGraph(graph, session) {
  const entry = entryOf(graph, session);
  entry.wanted = true;
  if (entry.stale) refetch(graph, entry);
  if (state.zoom && !entry.zoom) fetchZoomSoon();
}

/**
 * The layer to draw, the finer one if there is one; null until the points are here.
 *
 * @param {string} graph
 */
export function layerOf(graph) {
  const entry = entries.get(graph);
  return (state.zoom && entry?.zoom) || entry?.full || null;
}

/**
 * Note that live events of these sessions no longer come: their points are fetched again when they are shown.
 *
 * @param {string[]} ids
 */
export function unfollow(ids) {
  for (const entry of entries.values())
    if (ids.includes(entry.session)) Object.assign(entry, { stale: true, zoom: null });
}

/** Fetch the graphs of sessions that have changed while there were no live events. */
export function catchUp() {
  for (const [graph, entry] of entries) {
    const version = sessions.get(entry.session)?.version ?? 0;
    if (entry.full && version > entry.full.version) refetch(graph, entry);
    if (entry.zoom && version > entry.zoom.version) entry.zoom.incomplete = true;
    if (entry.zoom?.incomplete) fetchZoomAgain();
  }
}

/**
 * Fetch a graph again, as soon as its last fetch is long enough ago.
 *
 * @param {string} graph
 * @param {Entry} entry
 * @param {number} [delay]
 */
function refetch(graph, entry, delay = 0) {
  entry.stale = true;
  const interval = entry.full && !entry.full.exact ? SUMMARY_FETCH_INTERVAL_MS : FETCH_INTERVAL_MS;
  const left = Math.max(delay, entry.fetchedAt + interval - performance.now());
  const act = () => {
    entry.timer = 0;
    const isShown = entries.get(graph) === entry && entry.wanted && state.selected.includes(entry.session);
    if (entry.stale && isShown) enqueue(graph);
  };
  if (left <= 0) act();
  else entry.timer ||= setTimeout(act, left);
}

/** @param {string} graph */
function enqueue(graph) {
  queue.add(graph);
  if (isFlushPlanned) return;
  isFlushPlanned = true;
  setTimeout(flush, 0);
}

function flush() {
  const graphs = [...queue].filter((graph) => entries.get(graph)?.fetching === false);
  queue.clear();
  isFlushPlanned = false;
  for (let at = 0; at < graphs.length; at += MAX_GRAPHS) fetchFull(graphs.slice(at, at + MAX_GRAPHS));
}

/** @param {string[]} graphs */
const entriesOf = (graphs) =>
  graphs.flatMap((graph) => {
    const entry = entries.get(graph);
    return entry ? [/** @type {const} */ ([graph, entry])] : [];
  });

/**
 * @param {string[]} graphs
 * @returns {Promise<void>}
 */
async function fetchFull(graphs) {
  const asked = entriesOf(graphs);
  for (const [, entry] of asked)
    Object.assign(entry, { fetching: true, stale: false, missed: [], fetchedAt: performance.now() });
  /** @type {Record<string, GraphSeries>} */
  let answer = {};
  let failed = false;
  try {
    answer = (await getSeries(graphs, { width })).graphs;
  } catch (error) {
    if (statusOf(error) === 404 && graphs.length > 1) {
      // one of them is gone: fetch each alone
      for (const [, entry] of asked) entry.fetching = false;
      const left = asked.filter(([graph, entry]) => entries.get(graph) === entry);
      await Promise.all(left.map(([graph]) => fetchFull([graph])));
      return;
    }
    failed = !isMissing(error);
  }
  for (const [graph, entry] of asked) {
    entry.fetching = false;
    if (answer[graph]) entry.full = layerFrom(answer[graph]);
    else if (!failed) entry.full ??= layerFrom({ exact: true, series: {} });
    for (const event of entry.missed.splice(0)) advance(entry.full, event, graph);
    if (failed) refetch(graph, entry, RETRY_MS);
    else if (entry.stale || entry.full?.incomplete) refetch(graph, entry);
  }
  emit('series', graphs);
}

/**
 * Add the points of a live event.
 *
 * @param {PointsEvent} event
 */
export function append(event) {
  const changed = [];
  for (const [graph, entry] of entries) {
    if (entry.session !== event.session) continue;
    if (entry.fetching) entry.missed.push(event);
    if (entry.zoomFetching) entry.zoomMissed.push(event);
    const hasChanged = [advance(entry.full, event, graph), advance(entry.zoom, event, graph)];
    if (hasChanged.includes(true)) changed.push(graph);
    if (entry.full?.incomplete && !entry.fetching) refetch(graph, entry);
    if (entry.zoom?.incomplete) fetchZoomAgain();
  }
  if (changed.length) emit('series', changed);
}

// Zoom: summarized graphs are fetched again in the window, a little wider than it, so that lines leave the chart at its
// edges instead of ending there.

function fetchZoomSoon() {
  clearTimeout(zoomTimer);
  zoomTimer = setTimeout(() => fetchZoom((entry) => !entry.zoom), ZOOM_DELAY_MS);
}

// Meanwhile the points that are here are drawn.
function fetchZoomAgain() {
  zoomAgainTimer ||= setTimeout(() => {
    zoomAgainTimer = 0;
    fetchZoom((entry) => Boolean(entry.zoom?.incomplete));
  }, SUMMARY_FETCH_INTERVAL_MS);
}

/** @param {(entry: Entry) => boolean} isNeeded */
async function fetchZoom(isNeeded) {
  if (!state.zoom) return;
  const { signal } = zoomRequest;
  /** @type {Map<string, {window: Window, graphs: string[]}>} */
  const groups = new Map();
  for (const [graph, entry] of entries) {
    const isSummarized = entry.full && !entry.full.exact;
    if (!entry.wanted || !isSummarized || entry.zoomFetching || !state.selected.includes(entry.session)) continue;
    const window = isNeeded(entry) ? windowOf(entry) : null;
    if (!window) continue;
    const key = `${window.x0} ${window.x1}`;
    const group = groups.get(key) ?? { window, graphs: [] };
    groups.set(key, group);
    group.graphs.push(graph);
  }
  const fetches = [...groups.values()].map((group) => fetchWindow(group, signal));
  emitRefining();
  await Promise.all(fetches);
  emitRefining();
}

function emitRefining() {
  emit(
    'refining',
    [...entries.values()].some((entry) => entry.zoomFetching && !entry.zoom),
  );
}

/**
 * @param {{window: Window, graphs: string[]}} group
 * @param {AbortSignal} signal
 */
async function fetchWindow({ window, graphs }, signal) {
  const asked = entriesOf(graphs);
  for (const [, entry] of asked) Object.assign(entry, { zoomFetching: true, zoomMissed: [] });
  /** @type {Record<string, GraphSeries>} */
  let answer = {};
  try {
    answer = (await getSeries(graphs, { ...window, width: width * 1.2 }, signal)).graphs;
  } catch (error) {
    if (!signal.aborted && error instanceof Error) emit('message', error.message);
  }
  if (signal.aborted) return; // the zoom has changed
  for (const [graph, entry] of asked) {
    entry.zoomFetching = false;
    if (answer[graph]) entry.zoom = layerFrom(answer[graph], window);
    for (const event of entry.zoomMissed.splice(0)) advance(entry.zoom, event, graph);
    if (entry.zoom?.incomplete) fetchZoomAgain();
  }
  if (Object.keys(answer).length) emit('series', graphs);
}
