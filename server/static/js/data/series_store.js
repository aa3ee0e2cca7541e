// The points behind the charts: fetches those of visible graphs, adds live ones, and fetches finer ones for a zoom.
import { getSeries, isMissing, statusOf } from './api.js';
import { addPoint, emptyLine, lineFromColumns } from './line.js';
import { emit, on, sessions, state } from './store.js';

/** @import { GraphSeries } from './api.js' */
/** @import { Line } from './line.js' */
/** @import { PointsEvent } from './live_updates.js' */

const MAX_GRAPHS = 100; // in a request
const MAX_APPENDED = 1200; // live points in a summarized layer before it is fetched again
const FETCH_INTERVAL_MS = 100; // between two fetches of a graph that live events cause
const SUMMARY_FETCH_INTERVAL_MS = 1000;
const RETRY_MS = 2000;
const ZOOM_DELAY_MS = 60;

/** @typedef {{x0: number, x1: number}} Window steps, both ends included */

/**
 * The lines of a graph, whole or in a window.
 *
 * @typedef {object} Layer
 * @property {number} version the session's version up to which the points are here
 * @property {number} arrivals how many points of the session had arrived by then
 * @property {boolean} exact whether all points are here, rather than summaries
 * @property {Map<string, Line>} lines by metric
 * @property {number} appended how many live points were added to summaries
 * @property {boolean} incomplete whether the server has points that are not here: it is to be fetched again
 * @property {Window | null} window
 */

/**
 * @typedef {object} Entry
 * @property {string} session
 * @property {Layer | null} full the whole graph
 * @property {Layer | null} zoom the finer points of the zoomed window
 * @property {boolean} wanted whether a chart has shown it
 * @property {boolean} stale whether `full` is to be fetched again
 * @property {boolean} fetching
 * @property {number} fetchedAt when the last fetch began, in milliseconds
 * @property {number} timer
 * @property {PointsEvent[]} missed events that came while `full` was fetched
 * @property {boolean} zoomFetching
 * @property {PointsEvent[]} zoomMissed
 */

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
 * @param {GraphSeries} body
 * @param {Window | null} [window]
 * @returns {Layer}
 */
function layerFrom({ version = 0, arrivals = 0, exact, series }, window = null) {
  const lines = new Map(Object.entries(series).map(([name, columns]) => [name, lineFromColumns(columns, exact)]));
  return { version, arrivals, exact, lines, appended: 0, incomplete: false, window };
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

/**
 * Bring a layer from its version to the event's.
 *
 * @param {Layer | null} layer
 * @param {PointsEvent} event
 * @param {string} graph
 * @returns {boolean} whether it is to be drawn again
 */
function advance(layer, event, graph) {
  if (!layer || layer.version >= event.to) return false;
  const body = event.graphs === null ? null : event.graphs[graph];
  if (layer.version < event.from || body === null) {
    layer.incomplete = true;
    return false;
  }
  if (body) addAll(layer, body.series);
  layer.version = event.to;
  layer.arrivals = event.arrivals;
  return Boolean(body);
}

/**
 * Add live points. `n` numbers a session's points as they arrived: those below `layer.arrivals` are in the layer.
 *
 * @param {Layer} layer
 * @param {Record<string, {x: number[], y: (number | string | null)[], t: number[], n: number[]}>} series
 */
function addAll(layer, series) {
  const { window, exact } = layer;
  for (const [name, { x, y, t, n }] of Object.entries(series)) {
    const line = layer.lines.get(name) ?? emptyLine(exact);
    layer.lines.set(name, line);
    for (let at = 0; at < x.length; at += 1) {
      if (n[at] < layer.arrivals || (window && (x[at] < window.x0 || x[at] > window.x1))) continue;
      const isComplete = addPoint(line, x[at], t[at], y[at]);
      if (!exact) layer.appended += 1;
      if (!isComplete || layer.appended > MAX_APPENDED) layer.incomplete = true;
    }
  }
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
