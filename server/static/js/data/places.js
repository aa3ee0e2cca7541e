// Where sessions are: in the table, in the archive, in the bin.
import { page, state } from './store.js';

/** @import { Session } from './session.js' */

/** @typedef {Pick<Session, 'archived_at' | 'deleted_at' | 'project_id'>} Placed */

/** As the address names them; '' is the table. */
export const PLACES = ['', 'archive', 'bin'];

/** @param {Placed} session */
const placeOf = ({ archived_at, deleted_at }) => (deleted_at != null ? 'bin' : archived_at != null ? 'archive' : '');

/**
 * Whether a session is in this project, and in the place that the table shows.
 *
 * @param {Placed} session
 */
export const isHere = (session) =>
  placeOf(session) === state.place && String(session.project_id ?? page.project) === page.project;
