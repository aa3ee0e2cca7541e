// Live updates: each tab has one stream of server-sent events, open while the tab is visible. Without a stream, the
// page polls and says so.
import { statusOf } from './http.js';
import { emit, page, state } from './store.js';

/** @import { SessionEvent } from './api.js' */
/** @import { SessionChange } from './session_change.js' */
/** @import { LiveStatus } from './store.js' */

const POLL_INTERVAL_MS = 2000;
const RECONNECT_PATIENCE_MS = 2500;
const CONNECT_PATIENCE_MS = 5000; // covers proxies that hold back what the stream says
const FIRST_RETRY_MS = 2000;
const MAX_RETRY_MS = 15_000;
const CHECK_INTERVAL_MS = 5000;
const MAX_SILENCE_MS = 40_000; // the server says something every 15 s
const MAX_NAMED_SESSIONS = 150; // more do not fit into an address: the stream then covers the whole project

/**
 * New points of a session: what leads from version `from` to version `to`.
 *
 * @typedef {object} PointsEvent
 * @property {string} session
 * @property {number} from
 * @property {number} to
 * @property {number} arrivals how many points of the session have arrived by `to`
 * @property {Record<string, {series: Record<string, PointColumns>} | null> | null} graphs null, for all or for one graph,
 *   if there are too many points to send: they are to be fetched
 */

/**
 * The new points of a metric; `n` is their number of arrival in the session.
 *
 * @typedef {{x: number[], y: (number | string | null)[], t: number[], n: number[]}} PointColumns
 */

/**
 * What to do with the server's events.
 *
 * @typedef {object} Handlers
 * @property {() => void} hello events may have been missed: fetch what is shown
 * @property {(session: SessionEvent) => void} session
 * @property {(change: SessionChange) => void} change
 * @property {(deleted: {id: string}) => void} deleted
 * @property {(event: PointsEvent) => void} points
 * @property {(version: {static: string}) => void} version the version of the server's static files
 * @property {() => Promise<unknown>} poll called again and again while there is no stream
 */

/**
 * Keeps the page up to date, and emits 'live' with its status.
 *
 * While one stream replaces another the events of both may come; their versions tell doubles apart.
 */
export class LiveUpdates {
  /** @param {Handlers} handlers */
  constructor(handlers) {
    this.handlers = handlers;
    /** @type {EventSource | null} the stream in use */
    this.source = null;
    /** @type {EventSource | null} the stream opened last: `source`, or the one that will replace it */
    this.next = null;
    this.polling = this.patience = this.retry = this.check = 0; // timers
    this.pause = FIRST_RETRY_MS;
    this.heardAt = 0;
    /** @type {LiveStatus} */
    this.status = 'connecting';
    addEventListener('pagehide', () => this.close());
    addEventListener('pageshow', (event) => event.persisted && this.open());
    addEventListener('online', () => this.status !== 'live' && this.open());
    document.addEventListener('visibilitychange', () => (document.hidden ? this.close() : this.open()));
  }

  /** Follow the project and the selected sessions. A hidden tab does so once it is shown. */
  open() {
    if (document.hidden) return;
    clearTimeout(this.retry);
    if (this.next !== this.source) this.next?.close();
    const source = new EventSource(this.address());
    this.next = source;
    this.heardAt = Date.now();
    for (const name of /** @type {const} */ (['session', 'change', 'deleted', 'points', 'version']))
      this.listen(source, name, this.handlers[name]);
    this.listen(source, 'hello', (data) => this.use(source, data));
    this.listen(source, 'unavailable', () => source === this.source && this.databaseDown());
    this.listen(source, 'ping', () => {});
    source.addEventListener('error', () => source === this.next && this.failed(source));
    if (!this.source) this.patience ||= setTimeout(() => this.startPolling(), CONNECT_PATIENCE_MS);
    this.check ||= setInterval(() => this.checkSilence(), CHECK_INTERVAL_MS);
  }

  close() {
    clearTimeout(this.retry);
    clearInterval(this.check);
    this.check = 0;
    this.stopPolling();
    this.source?.close();
    this.next?.close();
    this.source = this.next = null;
  }

  address() {
    const { selected } = state;
    const query = new URLSearchParams({ project_id: page.project });
    query.set('session', selected.length > MAX_NAMED_SESSIONS ? '*' : selected.join());
    return `/live?${query}`;
  }

  /**
   * @param {EventSource} source
   * @param {string} name
   * @param {(data: any) => void} act
   */
  listen(source, name, act) {
    source.addEventListener(name, (/** @type {MessageEvent<string>} */ event) => {
      this.heardAt = Date.now();
      act(JSON.parse(event.data));
    });
  }

  /**
   * The stream begins, or the server has dropped events because they were not read in time.
   *
   * @param {EventSource} source
   * @param {{time: number}} hello
   */
  use(source, { time }) {
    if (this.source !== source) this.source?.close();
    this.source = source;
    this.pause = FIRST_RETRY_MS;
    state.skew = time - Date.now() / 1000;
    this.stopPolling();
    this.say('live');
    this.handlers.hello();
  }

  // The server is up but its database is not. It says hello when the database is back.
  databaseDown() {
    this.stopPolling();
    this.say('unavailable');
  }

  /** @param {EventSource} source */
  failed(source) {
    if (source.readyState !== EventSource.CLOSED) {
      // the connection broke; the browser reconnects by itself
      if (['live', 'unavailable', 'connecting'].includes(this.status)) this.say('reconnecting');
      this.patience ||= setTimeout(() => this.startPolling(), RECONNECT_PATIENCE_MS);
      return;
    }
    // refused, for example with 503 because the server has as many streams as it holds
    this.source?.close();
    this.source = this.next = null;
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.open(), this.pause);
    this.pause = Math.min(this.pause * 2, MAX_RETRY_MS);
    this.startPolling();
  }

  // A connection can break without an error on our side.
  checkSilence() {
    if (this.next && Date.now() - this.heardAt > MAX_SILENCE_MS) this.open();
  }

  startPolling() {
    if (this.polling) return;
    const poll = async () => {
      try {
        await this.handlers.poll();
        if (this.polling) {
          // back: do not wait for the next retry
          if (['unreachable', 'unavailable'].includes(this.status)) this.open();
          this.say('polling');
        }
      } catch (error) {
        if (this.polling) this.say(statusOf(error) === 503 ? 'unavailable' : 'unreachable');
      }
      if (this.polling) this.polling = setTimeout(poll, POLL_INTERVAL_MS);
    };
    this.polling = setTimeout(poll, 0);
  }

  stopPolling() {
    clearTimeout(this.polling);
    clearTimeout(this.patience);
    this.polling = this.patience = 0;
  }

  /** @param {LiveStatus} status */
  say(status) {
    if (this.status === status) return;
    this.status = status;
    emit('live', status);
  }
}
