// The server's read API of groups.
import { get, queryOf } from './http.js';

/** @import { GroupPage } from './group_types.js' */

/**
 * The groups of a project's sessions.
 *
 * @param {string} project
 * @param {{by: string, stat: string[], show: string[], q?: string, status?: string, in?: string, sort?: string,
 *   limit?: number, offset?: number, utc_offset?: number}} asked
 * @param {AbortSignal} [signal]
 * @returns {Promise<GroupPage>}
 */
export function listGroups(project, { stat, show, ...asked }, signal) {
  const query = queryOf(project, asked);
  for (const name of stat) query.append('stat', name);
  for (const name of show) query.append('show', name);
  return get('/api/v2/sessions/groups', query, signal);
}
