// What has changed of a session: the stream sends large sessions whole only once.

/** @import { Graph, Session, Stat, Value } from './session.js' */

/**
 * The fields of a statistic, in the order in which an event has them; the last two only if a value is not finite.
 */
const STAT_FIELDS = ['min', 'min_x', 'max', 'max_x', 'last', 'last_x', 'count', 'nan', 'nan_x'];

/** @typedef {Pick<Graph, 'title' | 'kind' | 'xlabel' | 'ylabel'>} Labels */

/**
 * What leads from version `from` of a session to `version`. What is missing of `params` and `values`, and graphs that are
 * missing, are as they were.
 *
 * @typedef {Omit<Session, 'params' | 'values' | 'stats' | 'graphs'> & Partial<Pick<Session, 'params' | 'values'>> &
 *   {from: number, graphs: Record<string, {stats: Record<string, Value[]>} & Partial<Labels>>}} SessionChange
 */

/**
 * The session after a change; null if more than the change is missing.
 *
 * @param {Session} session of version `from`, or of one that comes after it
 * @param {SessionChange} change
 * @returns {Session | null}
 */
export function changed(session, change) {
  const { from, graphs: changes, ...fields } = change;
  const left = new Map(Object.entries(changes));
  const graphs = session.graphs.map((graph) => {
    const found = left.get(graph.id);
    left.delete(graph.id);
    return found ? { ...graph, ...changedGraph(found) } : graph;
  });
  for (const [id, found] of left) {
    const { title, kind, xlabel, ylabel } = found;
    if (title === undefined || kind === undefined || xlabel === undefined || ylabel === undefined) return null;
    graphs.push({ id, title, kind, xlabel, ylabel, ...changedGraph(found) });
  }
  return { ...session, ...fields, graphs, stats: statsByName(graphs) };
}

/** @param {SessionChange['graphs'][string]} change */
function changedGraph({ stats: lists, ...labels }) {
  /** @type {Record<string, Stat>} */
  const stats = {};
  for (const [name, list] of Object.entries(lists)) stats[name] = statOf(list);
  return { ...labels, names: Object.keys(stats), stats };
}

/**
 * @param {Value[]} list
 * @returns {Stat}
 */
function statOf(list) {
  /** @type {any} */
  const stat = { nan: 0, nan_x: null };
  list.forEach((value, at) => {
    stat[STAT_FIELDS[at]] = value;
  });
  return stat;
}

/**
 * A session's statistics by name, as the server makes them (points/statistics.py): a name that two graphs have becomes
 * `title/name`, and so does a name that equals such a `title/name`.
 *
 * @param {Pick<Graph, 'title' | 'stats'>[]} graphs
 * @returns {Record<string, Stat>}
 */
export function statsByName(graphs) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { stats } of graphs) for (const name of Object.keys(stats)) counts.set(name, (counts.get(name) ?? 0) + 1);
  const ambiguous = new Set([...counts].flatMap(([name, count]) => (count > 1 ? [name] : [])));
  const long = graphs.flatMap(({ title, stats }) =>
    Object.keys(stats).flatMap((name) => (ambiguous.has(name) ? [`${title}/${name}`] : [])),
  );
  for (const name of long) ambiguous.add(name);
  /** @type {Record<string, Stat>} */
  const found = {};
  for (const { title, stats } of graphs)
    for (const [name, { min, max, last, count }] of Object.entries(stats))
      found[ambiguous.has(name) ? `${title}/${name}` : name] = { min, max, last, count };
  return found;
}
