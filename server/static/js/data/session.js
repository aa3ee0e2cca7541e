// What a session is to the page, and what the page says about one: its name, its address, why it has its status.
import { clockTime, compact, shorten, whole } from '../ui/format.js';

/** @typedef {number | string | null} Value a number; 'NaN', 'Infinity' and '-Infinity' as text; or null */

/** @typedef {'active' | 'complete' | 'failed' | 'cancelled'} Status */

/**
 * The statistics of a metric of a graph.
 *
 * @typedef {object} Stat
 * @property {Value} min
 * @property {Value} max
 * @property {Value} last
 * @property {number} count
 * @property {number} [nan] how many values are not finite
 * @property {number} [nan_x] the step of the first of them
 */

/**
 * @typedef {object} Graph
 * @property {string} id
 * @property {string} title
 * @property {'min' | 'max' | null} kind which value is the best
 * @property {string | null} xlabel
 * @property {string | null} ylabel
 * @property {string[]} names its metrics
 * @property {Record<string, Stat>} stats by metric
 */

/**
 * A session as the read API returns it. Times are unix seconds.
 *
 * @typedef {object} Session
 * @property {string} id
 * @property {string} tag
 * @property {string | null} own_tag the tag that its script gave, if a person has renamed it
 * @property {Status} status
 * @property {string | null} reason
 * @property {string | null} failure the error's type and message, in a line
 * @property {number} created_at
 * @property {number} updated_at
 * @property {number | null} heard_at
 * @property {number | null} ended_at
 * @property {number | null} max_iter
 * @property {number | null} progress from 0 to 1
 * @property {number | null} eta
 * @property {number | null} last_x the last step
 * @property {number} points
 * @property {number} dropped how many points were lost
 * @property {number} refused how many points and other things were not stored
 * @property {number} [project_id] in live events
 * @property {string | null} group
 * @property {string | null} [commit] of git, as are
 * @property {string | null} [branch]
 * @property {string | null} [host]
 * @property {string | null} [user]
 * @property {string[]} tags
 * @property {string} note in a list, its beginning
 * @property {number} note_version
 * @property {boolean} starred
 * @property {number | null} archived_at
 * @property {number | null} deleted_at since when it is in the bin
 * @property {Record<string, unknown>} params
 * @property {Record<string, unknown>} values
 * @property {Record<string, Stat>} stats by metric, or by 'graph/metric' where two graphs have one of this name
 * @property {Graph[]} graphs
 * @property {number} version rises with each change
 * @property {number} change the number of its latest change
 */

/**
 * What a session is called: its tag, or the start of its id.
 *
 * @param {Pick<Session, 'id' | 'tag'>} session
 */
export const tagOf = (session) => session.tag || `session ${session.id.slice(0, 4)}`;

/**
 * @param {Pick<Session, 'id' | 'tag'>} session
 * @param {number} [length]
 */
export const shortTag = (session, length = 22) => shorten(tagOf(session), length);

/**
 * The address of the session's page.
 *
 * @param {string} id
 */
export const detailsOf = (id) => `/s/${id}/details`;

/**
 * Why a session has its status, and whether points were dropped; '' if there is nothing to say.
 *
 * @param {Session} session
 * @param {number} now
 */
export const reasonOf = (session, now) =>
  [statusReason(session, now), session.dropped && 'points dropped'].filter(Boolean).join(', ');

/**
 * How much a session lacks, in few characters; '' if nothing.
 *
 * @param {Session} session
 */
export const lackOf = ({ refused }) => (refused > 0 ? `${compact(refused)} not stored` : '');

/**
 * The same as `reasonOf` and `lackOf`, with all numbers in full.
 *
 * @param {Session} session
 * @param {number} now
 */
export const fullReasonOf = (session, now) =>
  [statusReason(session, now), session.dropped && `points dropped: ${whole(session.dropped)}`, notStored(session)]
    .filter(Boolean)
    .join(', ');

/** @param {Session} session */
const notStored = ({ refused }) => refused > 0 && `${whole(refused)} not stored`;

/**
 * @param {Session} session
 * @param {number} now
 */
function statusReason(session, now) {
  const { status, reason } = session;
  if (reason === 'silent') return `silent since ${clockTime(session.heard_at ?? session.updated_at, now)}`;
  const nonFinite = nonFiniteOf(session);
  if (nonFinite) return `NaN at ${whole(nonFinite.x)}`;
  if (status === 'failed') return session.failure || reason || '';
  return status === 'cancelled' ? reason || '' : '';
}

/**
 * The first NaN or infinity of the first graph that has one.
 *
 * @param {Session} session
 */
export const nonFiniteOf = (session) => session.graphs?.map(firstNonFinite).find((found) => found);

/**
 * The first NaN or infinity of a graph, or null.
 *
 * @param {Graph} graph
 * @returns {{name: string, x: number, count: number} | null}
 */
export function firstNonFinite(graph) {
  let first = null;
  for (const [name, { nan, nan_x: x }] of Object.entries(graph.stats ?? {})) {
    if (nan && x !== undefined && (first === null || x < first.x)) first = { name, x, count: nan };
  }
  return first;
}

/**
 * The best value of some graphs: the minimum or maximum, of held-out metrics if there are any.
 *
 * @param {{session: Session, graph: Graph}[]} records
 * @param {'min' | 'max'} kind
 * @param {(name: string) => boolean} isHeldOut
 */
export function bestOf(records, kind, isHeldOut) {
  const all = records.flatMap(({ session, graph }) =>
    Object.entries(graph.stats ?? {}).flatMap(([name, { [kind]: value }]) =>
      typeof value === 'number' ? [{ session, name, value }] : [],
    ),
  );
  const heldOut = all.filter(({ name }) => isHeldOut(name));
  const among = heldOut.length ? heldOut : all;
  if (!among.length) return null;
  return among.reduce((a, b) => ((kind === 'min' ? b.value < a.value : b.value > a.value) ? b : a));
}
