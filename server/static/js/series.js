// The points behind the charts: asks for what is in sight, appends what comes live, asks finer where one zooms.
import { getSeries } from './api.js';
import { addPoint, emptyLine, hasPoint, lineFrom } from './lines.js';
import { emit, on, sessions, state } from './state.js';

const CHUNK = 100; // graphs a request
const TAIL = 1200; // points appended to a summary before it is asked for anew

/** graph id -> {session, full, zoom, wanted, stale, asking, missed} */
const entries = new Map();
const queue = new Set();
let flushing = false;
let pixels = 500;
let zoomTimer = 0;
let zoomAsking = null;

const entryOf = (graph, session) => {
  if (!entries.has(graph))
    entries.set(graph, {
      session,
      full: null,
      zoom: null,
      wanted: false,
      stale: true,
      asking: false,
      missed: [],
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
  if (entry.stale) enqueue(graph);
  if (state.zoom && !entry.zoom) zoomSoon();
}

/** The layer to draw: the finer one where there is one. {version, exact, lines: Map name -> line} or null. */
export function layer(graph) {
  const entry = entries.get(graph);
  return (state.zoom && entry?.zoom) || entry?.full || null;
}

/** Sessions that are no longer followed: their points may be old when they are shown again. */
export function unfollow(ids) {
  for (const entry of entries.values()) if (ids.includes(entry.session)) entry.stale = true;
}

/** After a broken connection: ask again for what has changed meanwhile. */
export function catchUp() {
  for (const [graph, entry] of entries) {
    const version = sessions.get(entry.session)?.version;
    if (entry.full && version !== undefined && version > entry.full.version) stale(graph, entry);
  }
}

function stale(graph, entry) {
  entry.stale = true;
  if (entry.wanted && state.selected.includes(entry.session)) enqueue(graph);
}

function enqueue(graph) {
  queue.add(graph);
  if (flushing) return;
  flushing = true;
  setTimeout(flush, 0);
}

async function flush() {
  const graphs = [...queue].filter((graph) => !entries.get(graph).asking);
  queue.clear();
  flushing = false;
  for (let at = 0; at < graphs.length; at += CHUNK) askFull(graphs.slice(at, at + CHUNK));
}

async function askFull(graphs) {
  for (const graph of graphs) Object.assign(entries.get(graph), { asking: true, stale: false, missed: [] });
  let answer = {};
  let failed = false;
  try {
    answer = (await getSeries(graphs, { width: pixels })).graphs;
  } catch (error) {
    if (error.status === 404 && graphs.length > 1) {
      for (const graph of graphs) entries.get(graph).asking = false;
      return Promise.all(graphs.map((graph) => askFull([graph])));
    }
    failed = error.status !== 404;
  }
  const again = [];
  for (const graph of graphs) {
    const entry = entries.get(graph);
    entry.asking = false;
    if (answer[graph]) entry.full = layerFrom(answer[graph]);
    else if (!failed) entry.full ??= { version: 0, exact: true, lines: new Map(), tail: 0 };
    entry.stale ||= failed;
    for (const event of entry.missed.splice(0)) appendTo(graph, entry, event);
    if (entry.stale) again.push(graph);
  }
  emit('series', graphs);
  if (again.length) setTimeout(() => again.forEach(enqueue), failed ? 2000 : 100);
}

function layerFrom(body) {
  const lines = new Map(
    Object.entries(body.series).map(([name, columns]) => [name, lineFrom(columns, body.exact)]),
  );
  return { version: body.version ?? 0, exact: body.exact, lines, tail: 0 };
}

/** What the stream said: {session, from, to, graphs: {graph: {series} or null} or null}. */
export function append(event) {
  const changed = [];
  const mine = [...entries].filter(([, entry]) => entry.session === event.session);
  for (const [graph, entry] of mine) {
    if (entry.asking) entry.missed.push(event);
    if (entry.full && appendTo(graph, entry, event)) changed.push(graph);
  }
  if (changed.length) emit('series', changed);
}

// True where something is to be drawn anew.
function appendTo(graph, entry, event) {
  const { full, zoom } = entry;
  if (!full || full.version >= event.to) return false;
  const body = event.graphs === null ? null : event.graphs[graph];
  if (full.version < event.from || body === null) {
    stale(graph, entry);
    return false;
  }
  if (body) {
    addAll(full, body.series, full.version > event.from, null);
    if (zoom) addAll(zoom, body.series, zoom.version > event.from, zoom.window);
    if (full.tail > TAIL) stale(graph, entry);
  }
  full.version = event.to;
  if (zoom) zoom.version = event.to;
  return Boolean(body);
}

function addAll(layer, series, perhapsKnown, window) {
  for (const [name, { x, y, t }] of Object.entries(series)) {
    if (!layer.lines.has(name)) layer.lines.set(name, emptyLine(layer.exact));
    const line = layer.lines.get(name);
    const end = line.x.at(-1) ?? -Infinity;
    for (let at = 0; at < x.length; at += 1) {
      if (window && (x[at] < window.x0 || x[at] > window.x1)) continue;
      if (perhapsKnown && (layer.exact ? hasPoint(line, x[at], t[at], y[at]) : x[at] <= end)) continue;
      addPoint(line, x[at], t[at], y[at]);
      if (!layer.exact) layer.tail += 1;
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
  zoomTimer = setTimeout(askZoom, 60);
}

async function askZoom() {
  zoomAsking?.abort();
  if (!state.zoom) return;
  const { signal } = (zoomAsking = new AbortController());
  const groups = new Map();
  for (const [graph, entry] of entries) {
    if (
      !entry.wanted ||
      !entry.full ||
      entry.full.exact ||
      entry.zoom ||
      !state.selected.includes(entry.session)
    )
      continue;
    const window = windowOf(graph, entry);
    if (!window) continue;
    const key = `${window.x0} ${window.x1}`;
    if (!groups.has(key)) groups.set(key, { window, graphs: [] });
    groups.get(key).graphs.push(graph);
  }
  emit('finer', groups.size > 0);
  await Promise.all([...groups.values()].map((group) => askWindow(group, signal)));
  if (!signal.aborted) emit('finer', false);
}

async function askWindow({ window, graphs }, signal) {
  try {
    const answer = (await getSeries(graphs, { ...window, width: pixels * 1.2 }, signal)).graphs;
    for (const [graph, body] of Object.entries(answer))
      entries.get(graph).zoom = { ...layerFrom(body), window };
    emit('series', graphs);
  } catch (error) {
    if (error.name !== 'AbortError') emit('trouble', error.message);
  }
}

on('zoom', () => {
  for (const entry of entries.values()) entry.zoom = null;
  zoomAsking?.abort();
  if (state.zoom) zoomSoon();
});
on('series', () => {
  if (state.zoom) zoomSoon();
});
on('deleted', (id) => {
  for (const [graph, entry] of entries) if (entry.session === id) entries.delete(graph);
});
