// What the page says about one session: its name, its address, why it has its status.
import { clockTime, middle, whole } from '../ui/format.js';

/** What a session is called where it stands alone. */
export const tagOf = (session) => session.tag || `session ${session.id.slice(0, 4)}`;

/** Why a session has its status, or ''. */
export const reasonOf = (session, now) =>
  [whyOf(session, now), session.dropped && 'points dropped'].filter(Boolean).join(', ');

/** The same, and how many points were dropped. */
export const wholeReasonOf = (session, now) =>
  [whyOf(session, now), session.dropped && `points dropped: ${whole(session.dropped)}`].filter(Boolean).join(', ');

function whyOf(session, now) {
  const broken = session.graphs?.map((graph) => firstBroken(graph)).find((found) => found);
  if (session.reason === 'silent')
    return `silent since ${clockTime(session.heard_at ?? session.updated_at, now)}`;
  if (session.status === 'failed' || session.status === 'active') {
    if (broken) return `NaN at ${whole(broken.x)}`;
  }
  if (session.status === 'failed') return session.failure || session.reason || '';
  return session.status === 'cancelled' ? session.reason || '' : '';
}

/** The first NaN or infinity of a graph: {name, x, count}, or null. */
export function firstBroken(graph) {
  let first = null;
  for (const [name, stat] of Object.entries(graph.stats ?? {})) {
    if (stat.nan && (first === null || stat.nan_x < first.x))
      first = { name, x: stat.nan_x, count: stat.nan };
  }
  return first;
}

/** The address of the page of all that is not a curve. */
export const detailsOf = (id) => `/s/${id}/details`;

export const shortTag = (session, most = 22) => middle(tagOf(session), most);
