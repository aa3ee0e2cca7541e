// The server's read API. Every function returns what the server answered, or throws.
import { unitsBefore } from '../ui/characters.js';
import { get, queryOf } from './http.js';

/** @import { Differing } from './differing.js' */
/** @import { FieldValue, ProjectField } from './fields.js' */
/** @import { View } from './history.js' */
/** @import { PlacedTerm } from './query_text.js' */
/** @import { Session, Status } from './session.js' */

/**
 * A page of the list of sessions.
 *
 * @typedef {object} SessionPage
 * @property {Session[]} sessions
 * @property {string | null} next the next page's cursor
 * @property {string} cursor of changes: what this answer does not contain comes after it
 * @property {number} [total] not with `counts=0`
 * @property {Record<Status, number>} [counts] how many sessions have which status; not with `counts=0`
 * @property {Record<string, number>} [best] by the names of statistics that were asked for
 */

/**
 * What has changed in the list of sessions.
 *
 * @typedef {object} Changes
 * @property {string} cursor what is to be asked for next
 * @property {boolean} [reset] too much has changed: the list is to be loaded again; the following are missing
 * @property {Session[]} [sessions] those that match, in the order of their changes
 * @property {string[]} [new] ids of those that were created
 * @property {string[]} [gone] ids of those that do not match, have been deleted, or have left the project
 * @property {string[]} [removed] the latter
 */

/** @typedef {Session & {new?: boolean}} SessionEvent a session in the stream; `new` if it has just been created */

/**
 * The columns of a metric, as they are sent: all points, or summaries of them.
 *
 * @typedef {object} Columns
 * @property {number[]} x
 * @property {number[]} [t]
 * @property {(number | string | null)[]} [y] only of exact series
 * @property {(number | null)[]} [min] only of summaries, as the following
 * @property {(number | null)[]} [max]
 * @property {(number | null)[]} [mean]
 * @property {number[]} [nan]
 * @property {number[]} [inf]
 */

/**
 * @typedef {object} GraphSeries
 * @property {boolean} exact whether these are all points
 * @property {number} [version]
 * @property {number} [arrivals]
 * @property {Record<string, Columns>} series by metric
 */

/**
 * A page of a project's sessions.
 *
 * @param {string} project
 * @param {{q?: string, status?: string, sort?: string, in?: string, cursor?: string, limit?: number, counts?: string, best?: string[],
 *   utc_offset?: number}} asked
 * @param {AbortSignal} [signal]
 * @returns {Promise<SessionPage>}
 */
export function listSessions(project, { best = [], ...asked }, signal) {
  const query = queryOf(project, asked);
  for (const name of best) query.append('best', name);
  return get('/api/v2/sessions', query, signal);
}

/**
 * What has changed in a project's list of sessions.
 *
 * @param {string} project
 * @param {{since: string, q?: string, status?: string, utc_offset?: number}} asked
 * @returns {Promise<Changes>}
 */
export const getChanges = (project, asked) => get('/api/v2/sessions/changes', queryOf(project, asked));

/**
 * What the sessions of a project can be asked for.
 *
 * @param {string} project
 * @returns {Promise<{fields: ProjectField[], more: boolean}>}
 */
export const listFields = (project) => get('/api/v2/sessions/fields', new URLSearchParams({ project_id: project }));

/**
 * The values of a field, the most frequent first.
 *
 * @param {string} project
 * @param {{field: string, prefix: string, limit: number}} asked
 * @returns {Promise<{values: FieldValue[], more: boolean}>}
 */
export const listValues = (project, { field, prefix, limit }) =>
  get(
    '/api/v2/sessions/field_values',
    new URLSearchParams({ project_id: project, field, prefix, limit: String(limit) }),
  );

/**
 * The params that are not the same in all sessions that match.
 *
 * @param {string} project
 * @param {Record<string, string | number>} filter
 * @param {AbortSignal} [signal]
 * @returns {Promise<Differing>}
 */
export const listDiffering = (project, filter, signal) =>
  get('/api/v2/sessions/differing_params', queryOf(project, filter), signal);

/**
 * What a query says: its terms, or null if it is no plain list of terms.
 *
 * @param {string} q
 * @param {AbortSignal} [signal]
 * @returns {Promise<PlacedTerm[] | null>}
 */
export async function parseQuery(q, signal) {
  const { terms } = await get('/api/v2/sessions/parse', new URLSearchParams({ q }), signal);
  const units = unitsBefore(q);
  return (
    terms?.map((/** @type {PlacedTerm} */ term) => ({ ...term, start: units(term.start), end: units(term.end) })) ??
    null
  );
}

const MAX_NAMED = 200; // of the server

/**
 * Sessions as the list has them; those that do not exist, or may not be read, are missing.
 *
 * @param {string[]} ids
 * @returns {Promise<Session[]>}
 */
export async function getSessions(ids) {
  const parts = [];
  for (let at = 0; at < ids.length; at += MAX_NAMED)
    parts.push(new URLSearchParams(ids.slice(at, at + MAX_NAMED).map((id) => ['id', id])));
  const pages = await Promise.all(parts.map((part) => get('/api/v2/sessions/named', part)));
  return pages.flatMap((page) => page.sessions);
}

/**
 * @param {string} id
 * @param {AbortSignal} [signal]
 * @returns {Promise<Session>}
 */
export const getSession = (id, signal) => get(`/api/v2/sessions/${encodeURIComponent(id)}`, null, signal);

/**
 * @param {string} project
 * @returns {Promise<{views: View[], default: {mine: string | null, project: string | null}}>}
 */
export const listViews = (project) => get('/api/v2/views', new URLSearchParams({ project_id: project }));

/**
 * @param {string} id
 * @returns {Promise<View>}
 */
export const viewById = (id) => get(`/api/v2/views/${encodeURIComponent(id)}`, null);

/** @returns {Promise<{id: number, name: string, organization: string, may_write: boolean}[]>} that one may read */
export const getProjects = async () => (await get('/api/v2/projects', null)).projects;

/**
 * What charts of `width` pixels need of these graphs, in a window of steps or whole.
 *
 * @param {string[]} graphs
 * @param {{x0?: number, x1?: number, width: number}} asked
 * @param {AbortSignal} [signal]
 * @returns {Promise<{graphs: Record<string, GraphSeries>}>}
 */
export function getSeries(graphs, { x0, x1, width }, signal) {
  const query = new URLSearchParams(graphs.map((graph) => ['graph', graph]));
  if (x0 != null) query.set('x0', String(Math.floor(x0)));
  if (x1 != null) query.set('x1', String(Math.ceil(x1)));
  query.set('width', String(Math.max(50, Math.round(width))));
  return get('/api/v2/series', query, signal);
}
