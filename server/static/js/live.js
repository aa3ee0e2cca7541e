// The stream of what happens, by server-sent events. Where there is none, the page asks every two seconds and says so.
import { emit, project, state } from './state.js';

const ASK_EVERY = 2000;
const RETRY_EVERY = 15_000;
const PATIENCE = 2500;

/**
 * handlers: hello(), session(S), deleted(id), points(event), poll() -> promise, called while there is no stream.
 * Emits 'live' with connecting | live | reconnecting | polling | unreachable.
 */
export class Live {
  constructor(handlers) {
    this.handlers = handlers;
    this.source = null;
    this.asking = 0;
    this.retry = 0;
    this.impatient = 0;
    this.said = '';
    addEventListener('pagehide', () => this.close());
    addEventListener('pageshow', (event) => event.persisted && this.open());
    addEventListener('online', () => this.said !== 'live' && this.open());
  }

  /** Follow the project, and the points of the selected sessions. The old stream goes on until the new one speaks. */
  open() {
    clearTimeout(this.retry);
    this.next?.close();
    const query = new URLSearchParams({ project_id: project });
    for (const id of state.selected) query.append('session', id);
    const source = new EventSource(`/live?${query}`);
    this.next = source;
    const listen = (name, act) => source.addEventListener(name, (event) => act(JSON.parse(event.data)));
    listen('hello', (data) => this.begin(source, data));
    listen('session', (data) => this.handlers.session(data));
    listen('deleted', (data) => this.handlers.deleted(data.id));
    listen('points', (data) => this.handlers.points(data));
    source.addEventListener('error', () => this.trouble(source));
  }

  close() {
    this.source?.close();
    this.next?.close();
    this.stopAsking();
  }

  begin(source, data) {
    if (this.source !== source) this.source?.close();
    this.source = source;
    state.skew = data.time - Date.now() / 1000;
    this.stopAsking();
    this.say('live');
    this.handlers.hello();
  }

  trouble(source) {
    if (source !== this.next) return;
    if (source.readyState === EventSource.CLOSED) {
      // refused, as with 503 when the server has as many streams as it holds
      this.source?.close();
      this.startAsking();
      this.retry = setTimeout(() => this.open(), RETRY_EVERY);
      return;
    }
    if (this.said === 'live' || this.said === '') this.say('reconnecting');
    this.impatient ||= setTimeout(() => this.startAsking(), PATIENCE);
  }

  startAsking() {
    if (this.asking) return;
    const ask = async () => {
      try {
        await this.handlers.poll();
        if (this.said === 'unreachable') this.open(); // it is back: do not wait for the next try
        if (this.asking) this.say('polling');
      } catch {
        if (this.asking) this.say('unreachable');
      }
      if (this.asking) this.asking = setTimeout(ask, ASK_EVERY);
    };
    this.asking = setTimeout(ask, 0);
  }

  stopAsking() {
    clearTimeout(this.asking);
    clearTimeout(this.impatient);
    this.asking = this.impatient = 0;
  }

  say(what) {
    if (this.said === what) return;
    this.said = what;
    emit('live', what);
  }
}
