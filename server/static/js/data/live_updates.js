// What happens, as it happens. All tabs share one stream (shared_stream.js); where there is none, the page asks every two seconds
// and says so.
import { emit, page, state } from './store.js';

const ASK_EVERY = 2000;
const PATIENCE = 2500;
const SIGN_EVERY = 2000;
const TAKEN_EVERY = 50;
const WORKER = 'losswise 2'; // another name where what is said changes: pages of two versions may be open

/**
 * handlers: hello(), session(S), deleted(D), points(event), poll() -> promise, called while there is no stream.
 * Emits 'live' with connecting | live | away | reconnecting | polling | unreachable.
 */
export class Live {
  constructor(handlers) {
    this.handlers = handlers;
    this.port = null;
    this.isAlone = false;
    this.asking = this.impatient = this.sign = 0;
    this.said = '';
    addEventListener('pagehide', () => this.close());
    addEventListener('pageshow', (event) => event.persisted && this.open());
    addEventListener('online', () => this.said !== 'live' && this.post({ name: 'again' }));
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) return;
      if (this.isLate) this.catchUp();
      if (this.port) this.giveSign();
    });
  }

  /** Follow the project, and the points of the selected sessions. */
  open() {
    if (!this.port) this.connect();
    this.follow();
  }

  close() {
    this.leave();
    this.stopAsking();
  }

  connect() {
    this.taken = this.unanswered = 0;
    this.hasHeard = false;
    this.port = this.isAlone ? this.ownFeed() : this.sharedFeed();
    this.port.onmessage = ({ data }) => this.hear(data);
    clearInterval(this.sign);
    this.sign = setInterval(() => this.giveSign(), SIGN_EVERY);
    // also where a proxy holds back what the stream says
    this.impatient ||= setTimeout(() => this.startAsking(), 2 * PATIENCE);
  }

  sharedFeed() {
    try {
      const worker = new SharedWorker(new URL('./shared_stream_worker.js', import.meta.url), {
        type: 'module',
        name: WORKER,
      });
      const { port } = worker;
      worker.addEventListener('error', () => port === this.port && this.beAlone());
      return port;
    } catch {
      this.isAlone = true; // there are none here, or not for this page
      return this.ownFeed();
    }
  }

  ownFeed() {
    const { port1, port2 } = new MessageChannel();
    import('./shared_stream.js').then(({ Feed }) => new Feed().add(port2));
    return port1;
  }

  beAlone() {
    this.isAlone = true;
    this.leave();
    this.open();
  }

  leave() {
    clearInterval(this.sign);
    this.post({ name: 'bye' });
    this.port?.close();
    this.port = null;
  }

  post(message) {
    this.port?.postMessage(message);
  }

  follow() {
    this.post({ name: 'follow', project: page.project, sessions: state.selected });
  }

  /** Say that this tab is there, and find out whether the worker is: it dies with the process that it was put in. */
  giveSign() {
    if (this.unanswered >= 2) {
      if (!this.hasHeard) return this.beAlone();
      this.leave();
      this.connect();
    }
    this.unanswered += 1;
    this.follow();
  }

  hear({ name, data }) {
    this.unanswered = 0;
    this.hasHeard = true;
    if (name === 'here') return;
    this.taken += 1;
    if (this.taken % TAKEN_EVERY === 0) this.post({ name: 'taken', count: this.taken });
    if (name === 'hello') this.begin(data);
    else if (name === 'away') this.away();
    else if (name === 'trouble') this.trouble();
    else if (name === 'refused') this.startAsking();
    else this.handlers[name](data);
  }

  begin({ skew }) {
    state.skew = skew;
    this.stopAsking();
    this.say('live');
    this.isLate = true;
    if (!document.hidden) this.catchUp();
  }

  catchUp() {
    this.isLate = false;
    this.handlers.hello();
  }

  /** The server is there, its database is not: it says hello once that is back. */
  away() {
    this.stopAsking();
    this.say('away');
  }

  trouble() {
    if (['live', 'away', ''].includes(this.said)) this.say('reconnecting');
    this.impatient ||= setTimeout(() => this.startAsking(), PATIENCE);
  }

  startAsking() {
    if (this.asking) return;
    const ask = async () => {
      try {
        await this.handlers.poll();
        if (this.said === 'unreachable' || this.said === 'away') this.post({ name: 'again' }); // it is back: do not wait for the next try
        if (this.asking) this.say('polling');
      } catch (error) {
        if (this.asking) this.say(error.status === 503 ? 'away' : 'unreachable');
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
