// The columns that every table has: what each shows, and how the server sorts by it.
import { now } from '../data/store.js';
import { duration, exactTime, relativeTime, whole } from '../ui/format.js';
import { pickCell, progressCell, statusCell, tagCell, tagsCell, textCell } from './cells.js';

/** @import { Session, Value } from '../data/session.js' */
/** @import { Cell } from './cells.js' */

/**
 * @typedef {object} Column
 * @property {string} key
 * @property {string} label
 * @property {number} width pixels
 * @property {string} [widthKey] under which the person's width is kept, if that is not the key
 * @property {Cell} cell
 * @property {string} [sort] the server's name for its order
 * @property {boolean} [down] whether it is first sorted in descending order
 * @property {boolean} [right] whether it is aligned right
 * @property {boolean} [dim]
 * @property {boolean} [ticks] whether it changes as time passes
 * @property {boolean} [fixed] whether it is always shown
 * @property {boolean} [isPinned] whether it stays at the left while the table is scrolled
 * @property {boolean} [off] whether it is not shown by default
 * @property {(session: Session) => boolean} [needed] it is shown by default once this is true of a session
 * @property {'statistics' | 'params' | 'values'} [group]
 * @property {'min' | 'max'} [kind] of a minimum or maximum: which value is the best
 * @property {(session: Session) => Value | undefined} [value] of a statistic
 */

const SHORT_COMMIT = 8; // digits, as git shows them

/** @param {Session} session */
const endOf = (session) => session.ended_at ?? session.heard_at ?? session.updated_at;

/** @param {Session} session */
const elapsedOf = (session) => (session.status === 'active' ? now() : endOf(session)) - session.created_at;

/** @type {Column[]} */
export const FIXED = [
  { key: 'pick', label: '', width: 38, cell: pickCell, fixed: true },
  { key: 'tag', label: 'Tag', sort: 'tag', width: 216, cell: tagCell, fixed: true },
  { key: 'status', label: 'Status', sort: 'status', width: 250, cell: statusCell, fixed: true },
  { key: 'progress', label: 'Progress', sort: 'progress', down: true, width: 124, cell: progressCell },
  {
    key: 'iter',
    label: 'Iter',
    sort: 'last_x',
    down: true,
    right: true,
    width: 88,
    ...textCell(
      (s) => whole(s.last_x),
      (s) => (s.last_x == null ? '' : whole(s.last_x) + (s.max_iter ? ` of ${whole(s.max_iter)}` : '')),
    ),
  },
  {
    key: 'elapsed',
    label: 'Elapsed',
    sort: 'elapsed',
    down: true,
    right: true,
    width: 98,
    ticks: true,
    ...textCell((s) => duration(elapsedOf(s))),
  },
  {
    key: 'done',
    label: 'Done at',
    sort: 'eta',
    width: 134,
    dim: true,
    ticks: true,
    ...textCell(doneAt, (s) => exactTime(s.status === 'active' ? s.eta : endOf(s))),
  },
  {
    key: 'created',
    label: 'Started',
    sort: 'created_at',
    down: true,
    width: 124,
    dim: true,
    ticks: true,
    off: true,
    ...textCell(
      (s) => relativeTime(s.created_at, now()),
      (s) => exactTime(s.created_at),
    ),
  },
  { key: 'id', label: 'Id', width: 180, dim: true, off: true, ...textCell((s) => s.id) },
  { key: 'group', label: 'Group', sort: 'group', width: 120, off: true, ...textCell((s) => s.group || '–') },
  { key: 'tags', label: 'Tags', width: 170, needed: (s) => s.tags?.length > 0, cell: tagsCell },
  {
    key: 'note',
    label: 'Note',
    width: 220,
    off: true,
    dim: true,
    ...textCell(
      (s) => s.note || '–',
      (s) => s.note,
    ),
  },
  {
    key: 'commit',
    label: 'Commit',
    sort: 'commit',
    width: 96,
    off: true,
    ...textCell(
      (s) => s.commit?.slice(0, SHORT_COMMIT) || '–',
      (s) => s.commit ?? '',
    ),
  },
  { key: 'branch', label: 'Branch', sort: 'branch', width: 140, off: true, ...textCell((s) => s.branch || '–') },
  { key: 'host', label: 'Host', sort: 'host', width: 140, off: true, ...textCell((s) => s.host || '–') },
  { key: 'user', label: 'User', sort: 'user', width: 110, off: true, ...textCell((s) => s.user || '–') },
];

/** @param {Session} session */
function doneAt(session) {
  const { status, eta } = session;
  if (status === 'active' && eta !== null && eta < now()) return 'any moment';
  return relativeTime(status === 'active' ? eta : endOf(session), now());
}
