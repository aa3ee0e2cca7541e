// The lines of a graph as they were fetched, and the live points that are added to them.
import { addPoint, emptyLine, lineFromColumns } from './line.js';

/** @import { GraphSeries } from './api.js' */
/** @import { Line } from './line.js' */
/** @import { PointsEvent } from './live_updates.js' */

const MAX_APPENDED = 1200; // live points in a summarized layer before it is fetched again

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
 * What is known of a graph.
 *
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

/**
 * @param {GraphSeries} body
 * @param {Window | null} [window]
 * @returns {Layer}
 */
export function layerFrom({ version = 0, arrivals = 0, exact, series }, window = null) {
  const lines = new Map(Object.entries(series).map(([name, columns]) => [name, lineFromColumns(columns, exact)]));
  return { version, arrivals, exact, lines, appended: 0, incomplete: false, window };
}

/**
 * Bring a layer from its version to the event's.
 *
 * @param {Layer | null} layer
 * @param {PointsEvent} event
 * @param {string} graph
 * @returns {boolean} whether it is to be drawn again
 */
export function advance(layer, event, graph) {
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
