// The points behind the charts: asks for what is in sight, appends what comes live, asks finer where one zooms.
import { getSeries } from './api.js';
import { addPoint, emptyLine, lineFrom } from './line.js';
import { emit, on, sessions, state } from './store.js';

const CHUNK = 100; // graphs a request
const TAIL = 1200; // points appended to a summary before it is asked for anew
const ASK_EVERY = 100; // milliseconds between two times that a graph is asked for because of what was heard
const ASK_SUMMARY_EVERY = 1000;
const FAILED_EVERY = 2000;

/**
 * graph id -> {session, full, zoom, wanted, stale, ...}. full and zoom are layers: {version, arrivals, exact, lines,
 * tail, lacks, window}, where `lacks` says that something has not come that the server has, so it is to be asked
 * for again. `missed` and `zoomMissed` are the events that came while it was asked for.
 */
const entries = new Map();
const queue = new Set();
let flushing = false;
let pixels = 500;
let zoomTimer = 0;
let zoomAgain = 0;
let zooming = new AbortController();

const entryOf = (graph, session) => {
  if (!entries.has(graph))
    entries.set(graph, {
      session,
      full: null,
      zoom: null,
      wanted: false,
      stale: true,
      asking: false,
      askedAt: -Infinity,
      timer: 0,
      missed: [],
      zoomAsking: false,
      zoomMissed: [],
    });
  return entries.get(graph);
};

/** How many pixels wide charts are: what the server sends fits them. */
export const setWidth = (width) => {
  pixels = width;
};

/** A graph is in sight: have its points. */
export function need(graph, session) {
  const entry = entryOf(graph, session);
  entry.wanted = true;
  if (entry.stale) stale(graph, entry);
  if (state.zoom && !entry.zoom) zoomSoon();
}

/** The layer to draw: the finer one where there is one. {exact, lines: Map name -> line, ...} or null. */
export function layer(graph) {
  const entry = entries.get(graph);
  return (state.zoom && entry?.zoom) || entry?.full || null;
}

/** Sessions that are no longer followed: their points may be old when they are shown again. */
export function unfollow(ids) {
  for (const entry of entries.values())
    if (ids.includes(entry.session)) Object.assign(entry, { stale: true, zoom: null });
}

/** After a broken connection: ask again for what has changed meanwhile. */
export function catchUp() {
  for (const [graph, entry] of entries) {
    const version = sessions.get(entry.session)?.version ?? 0;
    if (entry.full && version > entry.full.version) stale(graph, entry);
    if (entry.zoom && version > entry.zoom.version) entry.zoom.lacks = true;
    if (entry.zoom?.lacks) zoomSoonAgain();
  }
}

/** Ask again, as soon as it may be. */
function stale(graph, entry, wait = 0) {
  entry.stale = true;
  const every = entry.full && !entry.full.exact ? ASK_SUMMARY_EVERY : ASK_EVERY;
  const left = Math.max(wait, entry.askedAt + every - performance.now());
  const ask = () => {
    entry.timer = 0;
    const isShown = entries.get(graph) === entry && entry.wanted && state.selected.includes(entry.session);
    if (entry.stale && isShown) enqueue(graph);
  };
  if (left <= 0) ask();
  else entry.timer ||= setTimeout(ask, left);
}

function enqueue(graph) {
  queue.add(graph);
  if (flushing) return;
  flushing = true;
  setTimeout(flush, 0);
}

async function flush() {
  const graphs = [...queue].filter((graph) => entries.get(graph)?.asking === false);
  queue.clear();
  flushing = false;
  for (let at = 0; at < graphs.length; at += CHUNK) askFull(graphs.slice(at, at + CHUNK));
}

async function askFull(graphs) {
  const asked = new Map(graphs.map((graph) => [graph, entries.get(graph)]));
  for (const entry of asked.values())
    Object.assign(entry, { asking: true, stale: false, missed: [], askedAt: performance.now() });
  let answer = {};
  let failed = false;
  try {
    answer = (await getSeries(graphs, { width: pixels })).graphs;
  } catch (error) {
    if (error.status === 404 && graphs.length > 1) {
      for (const entry of asked.values()) entry.asking = false;
      const left = graphs.filter((graph) => entries.get(graph) === asked.get(graph));
      return Promise.all(left.map((graph) => askFull([graph])));
    }
    failed = error.status !== 404;
  }
  for (const [graph, entry] of asked) {
    entry.asking = false;
    if (answer[graph]) entry.full = layerFrom(answer[graph]);
    else if (!failed) entry.full ??= layerFrom({ exact: true, series: {} });
    for (const event of entry.missed.splice(0)) advance(entry.full, event, graph);
    if (failed) stale(graph, entry, FAILED_EVERY);
    else if (entry.stale || entry.full.lacks) stale(graph, entry);
  }
  emit('series', graphs);
}

function layerFrom(body, window = null) {
  const lines = new Map(
    Object.entries(body.series).map(([name, columns]) => [name, lineFrom(columns, body.exact)]),
  );
  const { version = 0, arrivals = 0, exact } = body;
  return { version, arrivals, exact, lines, tail: 0, lacks: false, window };
}

/** What the stream said: {session, from, to, arrivals, graphs: {graph: {series} or null} or null}. */
export function append(event) {
  const changed = [];
  for (const [graph, entry] of entries) {
    if (entry.session !== event.session) continue;
    if (entry.asking) entry.missed.push(event);
    if (entry.zoomAsking) entry.zoomMissed.push(event);
    const drawn = [advance(entry.full, event, graph), advance(entry.zoom, event, graph)];
    if (drawn.includes(true)) changed.push(graph);
    if (entry.full?.lacks && !entry.asking) stale(graph, entry);
    if (entry.zoom?.lacks) zoomSoonAgain();
  }
  if (changed.length) emit('series', changed);
}

// True where something is to be drawn anew.
function advance(layer, event, graph) {
  if (!layer || layer.version >= event.to) return false;
  const body = event.graphs === null ? null : event.graphs[graph];
  if (layer.version < event.from || body === null) {
    layer.lacks = true;
    return false;
  }
  if (body) addAll(layer, body.series);
  layer.version = event.to;
  layer.arrivals = event.arrivals;
  return Boolean(body);
}

// `n` numbers a session's points in the order in which they came: what is below the layer's `arrivals` is in it.
function addAll(layer, series) {
  const { window } = layer;
  for (const [name, { x, y, t, n }] of Object.entries(series)) {
    if (!layer.lines.has(name)) layer.lines.set(name, emptyLine(layer.exact));
    const line = layer.lines.get(name);
    for (let at = 0; at < x.length; at += 1) {
      if (n[at] < layer.arrivals || (window && (x[at] < window.x0 || x[at] > window.x1))) continue;
      const isWhole = addPoint(line, x[at], t[at], y[at]);
      if (!layer.exact) layer.tail += 1;
      if (!isWhole || layer.tail > TAIL) layer.lacks = true;
    }
  }
}

// Zoom. Summarised graphs in sight are asked for again, in the window, a little wider than what is seen so that
// lines leave the picture instead of ending in it. `windowOf` gives a session's window in steps.

let windowOf = () => null;
export const setWindows = (give) => {
  windowOf = give;
};

function zoomSoon() {
  clearTimeout(zoomTimer);
  zoomTimer = setTimeout(() => askZoom((entry) => !entry.zoom), 60);
}

// What is there is drawn meanwhile.
function zoomSoonAgain() {
  zoomAgain ||= setTimeout(() => {
    zoomAgain = 0;
    askZoom((entry) => entry.zoom?.lacks);
  }, ASK_SUMMARY_EVERY);
}

async function askZoom(isWanted) {
  if (!state.zoom) return;
  const { signal } = zooming;
  const groups = new Map();
  for (const [graph, entry] of entries) {
    if (
      !entry.wanted ||
      !entry.full ||
      entry.full.exact ||
      entry.zoomAsking ||
      !isWanted(entry) ||
      !state.selected.includes(entry.session)
    )
      continue;
    const window = windowOf(graph, entry);
    if (!window) continue;
    const key = `${window.x0} ${window.x1}`;
    if (!groups.has(key)) groups.set(key, { window, graphs: [] });
    groups.get(key).graphs.push(graph);
  }
  const asking = [...groups.values()].map((group) => askWindow(group, signal));
  sayFiner();
  await Promise.all(asking);
  sayFiner();
}

const sayFiner = () =>
  emit(
    'finer',
    [...entries.values()].some((entry) => entry.zoomAsking && !entry.zoom),
  );

async function askWindow({ window, graphs }, signal) {
  const asked = new Map(graphs.map((graph) => [graph, entries.get(graph)]));
  for (const entry of asked.values()) Object.assign(entry, { zoomAsking: true, zoomMissed: [] });
  let answer = {};
  try {
    answer = (await getSeries(graphs, { ...window, width: pixels * 1.2 }, signal)).graphs;
  } catch (error) {
    if (!signal.aborted) emit('trouble', error.message);
  }
  if (signal.aborted) return; // another zoom has begun
  for (const [graph, entry] of asked) {
    entry.zoomAsking = false;
    if (answer[graph]) entry.zoom = layerFrom(answer[graph], window);
    for (const event of entry.zoomMissed.splice(0)) advance(entry.zoom, event, graph);
    if (entry.zoom?.lacks) zoomSoonAgain();
  }
  if (Object.keys(answer).length) emit('series', graphs);
}

export function start() {
  on('zoom', () => {
    for (const entry of entries.values()) Object.assign(entry, { zoom: null, zoomAsking: false });
    zooming.abort();
    zooming = new AbortController();
    sayFiner();
    if (state.zoom) zoomSoon();
  });
  on('series', () => {
    if (state.zoom) zoomSoon();
  });
  on('deleted', (id) => {
    for (const [graph, entry] of entries) if (entry.session === id) entries.delete(graph);
  });
}
