// What modules need of a browser, in node.
import { EventEmitter, once } from 'node:events';

const globals = /** @type {any} */ (globalThis);

/** A stand-in for the document, the address and storage, enough for modules that draw nothing. */
export function installBrowser({ search = '', dataset = { project: '7' } } = {}) {
  const html = { dataset: { theme: 'light', version: 'v-1' } };
  const document = new EventTarget();
  Object.assign(document, {
    hidden: false,
    documentElement: html,
    getElementById: (id) => (id === 'content' ? { dataset } : null),
  });
  globals.document = document;
  globals.addEventListener = document.addEventListener.bind(document);
  globals.location = { search, pathname: '/projects/7', reloads: 0, reload: () => globals.location.reloads++ };
  globals.history = new History();
  globals.localStorage = new Storage();
  globals.sessionStorage = new Storage();
  globals.requestAnimationFrame = (act) => setTimeout(act, 0);
  return document;
}

class History {
  address = '';
  pushed = 0;
  state = null;
  replaceState(state, _title, address) {
    this.state = state;
    this.address = address;
    globals.location.search = address.startsWith('?') ? address : '';
  }
  pushState(state, title, address) {
    this.pushed += 1;
    this.replaceState(state, title, address);
  }
}

class Storage {
  #items = new Map();
  getItem(name) {
    return this.#items.get(name) ?? null;
  }
  setItem(name, value) {
    this.#items.set(name, String(value));
  }
}

/** Hide or show the page. */
export function setHidden(hidden) {
  document.hidden = hidden;
  document.dispatchEvent(new Event('visibilitychange'));
}

/**
 * A server that the test answers for: `next(path)` waits for a request, whose `answer` and `fail` end it.
 */
export function installServer() {
  const arrivals = new EventEmitter();
  const waiting = [];
  globals.fetch = (address, { signal } = {}) =>
    new Promise((resolve, reject) => {
      const { pathname, searchParams } = new URL(address, 'http://server');
      signal?.addEventListener('abort', () => reject(new DOMException('', 'AbortError')));
      waiting.push({
        path: pathname,
        query: searchParams,
        answer: (body, status = 200) =>
          resolve({ ok: status < 400, status, json: async () => JSON.parse(JSON.stringify(body)) }),
        fail: () => reject(new TypeError('Failed to fetch')),
      });
      arrivals.emit('request');
    });
  return {
    /** The next request. */
    async next() {
      while (!waiting.length) await once(arrivals, 'request');
      return waiting.shift();
    },
    waiting,
  };
}

/** Let promises and timers of zero settle. */
export const settle = () => new Promise((done) => setTimeout(done, 5));

/** A session as the read API returns it. */
export const session = (id, fields = {}) => ({
  id,
  tag: id,
  status: 'active',
  reason: null,
  failure: null,
  created_at: 1000,
  updated_at: 1000,
  heard_at: 1000,
  ended_at: null,
  max_iter: null,
  progress: null,
  eta: null,
  last_x: 9,
  points: 10,
  dropped: 0,
  refused: 0,
  group: null,
  tags: [],
  params: {},
  values: {},
  stats: {},
  graphs: [],
  version: 1,
  change: 1,
  ...fields,
});

/** A page of the list of sessions. */
export const page = (sessions, fields = {}) => ({
  sessions,
  next: null,
  cursor: 'c1',
  total: sessions.length,
  counts: { active: sessions.length, complete: 0, failed: 0, cancelled: 0 },
  ...fields,
});

/** What has changed in the list of sessions. */
export const changes = (sessions, fields = {}) => ({
  cursor: 'c2',
  sessions,
  new: [],
  gone: [],
  removed: [],
  ...fields,
});
