// The part of the server's read API that is about groups of sessions.
import { get, queryOf } from './http.js';

/**
 * A graph of a group's sessions.
 *
 * @typedef {object} GroupGraph
 * @property {string} title
 * @property {'min' | 'max' | null} kind
 * @property {string | null} xlabel
 * @property {string | null} ylabel
 */

/**
 * Mean and spread of a metric over the sessions of a group: an entry for each bin of steps in which one has a point.
 *
 * @typedef {object} GroupColumns
 * @property {number[]} x the first step in the bin at which a session has a point
 * @property {number[]} n how many sessions have a finite value
 * @property {(number | null)[]} mean over these sessions, as the following
 * @property {(number | null)[]} sd sample standard deviation; null with less than two sessions
 * @property {(number | null)[]} min
 * @property {(number | null)[]} max
 * @property {number[]} nan how many values are NaN
 * @property {number[]} inf how many are infinite
 */

/**
 * @typedef {object} GroupSeries
 * @property {number} sessions how many of the group have such a graph
 * @property {number} used the newest of these, of which mean and spread are
 * @property {number} active how many are running
 * @property {number | null} steps how many steps each session has; null if they differ
 * @property {number} size how many steps a bin has
 * @property {Record<string, GroupColumns>} series by metric
 */

/**
 * Which sessions a group has, and which graphs these have.
 *
 * @param {string} project
 * @param {{q: string, in: string, utc_offset: number}} asked
 * @returns {Promise<{sessions: number, ids: string[], graphs: GroupGraph[]}>} the ids are of the newest 500
 */
export const getGroupGraphs = (project, asked) => get('/api/v2/series/groups/graphs', queryOf(project, asked));

/**
 * Mean and spread over a group of the graphs with a title, in a window of steps or whole.
 *
 * @param {string} project
 * @param {{q: string, in: string, utc_offset: number, title: string, x0?: number, x1?: number, width: number}} asked
 * @param {AbortSignal | null} [signal]
 * @returns {Promise<GroupSeries>}
 */
export function getGroupSeries(project, { title, x0, x1, ...asked }, signal) {
  const query = queryOf(project, asked);
  query.set('title', title);
  if (x0 != null) query.set('x0', String(Math.floor(x0)));
  if (x1 != null) query.set('x1', String(Math.ceil(x1)));
  return get('/api/v2/series/groups', query, signal ?? undefined);
}
