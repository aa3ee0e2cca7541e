// The events by which the parts of the project page tell each other of changes.

/** @import { Session } from './session.js' */
/** @import { LiveStatus, ViewOptions } from './store.js' */

/**
 * The page's events and what their listeners are given.
 *
 * @typedef {object} Events
 * @property {undefined} selection the selected sessions have changed
 * @property {undefined} groups the groups in the graphs have changed
 * @property {undefined} query search, status or sort has changed
 * @property {Partial<ViewOptions>} view how charts are drawn has changed
 * @property {undefined} zoom
 * @property {boolean} refining whether a zoomed chart waits for finer points
 * @property {undefined} grouping the levels, the order or the folds of the table's groups have changed
 * @property {undefined} columns the table's columns have changed
 * @property {undefined} list the table's rows have changed
 * @property {undefined} rows the rows of the table's groups have changed
 * @property {undefined} loading rows are being loaded
 * @property {string} arrived a session has been added to the table, by id
 * @property {string[]} started sessions have been created, by id, the latest last
 * @property {Session} session a session is new or has changed
 * @property {string} deleted a session is gone, by id
 * @property {string[]} series the points of graphs have changed, by id
 * @property {string} members sessions of a group have changed, or which it has; by its query
 * @property {string} groupgraphs it is known which graphs a group has, by its query
 * @property {{q: string, title: string}} groupseries mean and spread of a group have changed, or could not be fetched
 * @property {LiveStatus} live
 * @property {undefined} edited sessions have been edited here
 * @property {undefined} address another address is shown: the user has gone back or forward, or opened a view
 * @property {undefined} views the saved view that is shown, or what differs from it, has changed
 * @property {string} message text for screen readers
 */

const bus = new EventTarget();

/**
 * Call `listener` with what each event of this name carries.
 *
 * @template {keyof Events} Name
 * @param {Name} name
 * @param {(detail: Events[Name]) => void} listener
 * @param {AddEventListenerOptions} [options]
 */
export const on = (name, listener, options) =>
  bus.addEventListener(name, (event) => listener(/** @type {CustomEvent} */ (event).detail), options);

/**
 * @template {keyof Events} Name
 * @param {Name} name
 * @param {Events[Name]} [detail]
 */
export const emit = (name, detail) => bus.dispatchEvent(new CustomEvent(name, { detail }));
