// One stream of events for all tabs of a browser: asks for what they show together, and gives each tab its part.
// It runs in a SharedWorker (shared_stream_worker.js), and in the page where there is none. Tabs speak to it through a port:
//   follow {project, sessions}  what the tab shows; again and again, as a sign of life
//   taken {count}               how many events the tab has taken in so far
//   again                       do not wait for the next try
//   bye
// and hear: here, hello {skew}, session, deleted, points, away {reason} (the server's database; a hello comes when it is
// back), trouble (the connection broke, it is tried again), refused (no stream now; asked for again later).

const GATHER = 30; // ms: tabs that open together are one stream
const RETRY_FIRST = 2000;
const RETRY_MOST = 15_000;
const LOOK_EVERY = 5000;
const QUIET_MOST = 40_000; // the server says something every 15 s
const ABSENT_MOST = 180_000; // hidden tabs give a sign of life once a minute
const BEHIND_MOST = 500; // events that a tab has not taken
const NAMED_MOST = 150; // sessions named in an address; beyond, all are asked for
const SURPLUS_MOST = 10; // sessions that no tab shows any more
const SLIM_EVERY = 60_000;

export class Feed {
  constructor() {
    this.tabs = new Map(); // port -> {project, sessions, heardAt, sent, taken, behind}
    this.source = null; // the stream that speaks
    this.next = null; // the one opened last
    this.asked = { projects: new Set(), sessions: new Set() };
    this.state = ''; // hello | away | trouble | refused: what tabs were told last
    this.reason = '';
    this.skew = 0;
    this.pause = RETRY_FIRST;
    this.gathering = this.retry = this.openedAt = this.spokeAt = 0;
    setInterval(() => this.look(), LOOK_EVERY);
  }

  add(port) {
    port.onmessage = ({ data }) => this.hear(port, data);
  }

  hear(port, said) {
    const tab = this.tabs.get(port);
    if (tab) tab.heardAt = Date.now();
    if (said.name === 'follow') this.follow(port, tab, said);
    else if (said.name === 'taken') this.took(port, tab, said.count);
    else if (said.name === 'again') !this.speaks() && Date.now() - this.openedAt > 1000 && this.open();
    else if (said.name === 'bye') this.drop(port);
  }

  follow(port, tab, { project, sessions }) {
    if (tab && tab.project === project && [...tab.sessions].join() === sessions.join())
      return port.postMessage({ name: 'here' });
    const known = tab ?? { heardAt: Date.now(), sent: 0, taken: 0, behind: false };
    this.tabs.set(port, Object.assign(known, { project, sessions: new Set(sessions) }));
    if (!this.covers()) this.gathering ||= setTimeout(() => this.open(), GATHER);
    else if (this.state) this.tell(port, known, this.state, this.told());
  }

  speaks() {
    return this.state === 'hello' || this.state === 'away';
  }

  told() {
    return { skew: this.skew, reason: this.reason };
  }

  took(port, tab, count) {
    if (!tab) return;
    tab.taken = count;
    if (!tab.behind || tab.sent - tab.taken > BEHIND_MOST / 2) return;
    tab.behind = false;
    if (this.state) this.tell(port, tab, this.state, this.told());
  }

  drop(port) {
    this.tabs.delete(port);
    if (!this.tabs.size) this.close();
  }

  /** What all tabs show. */
  shown() {
    const tabs = [...this.tabs.values()];
    return {
      projects: new Set(tabs.map(({ project }) => project)),
      sessions: new Set(tabs.flatMap(({ sessions }) => [...sessions])),
    };
  }

  covers() {
    const { projects, sessions } = this.shown();
    const has = (all, some) => [...some].every((one) => all.has(one));
    return this.next !== null && has(this.asked.projects, projects) && has(this.asked.sessions, sessions);
  }

  /** Ask for what is shown now. The old stream goes on until the new one speaks. */
  open() {
    clearTimeout(this.gathering);
    clearTimeout(this.retry);
    this.gathering = this.retry = 0;
    if (this.next !== this.source) this.next?.close();
    if (!this.tabs.size) return;
    this.asked = this.shown();
    const { projects, sessions } = this.asked;
    const named = sessions.size > NAMED_MOST ? '*' : [...sessions].map(encodeURIComponent).join();
    const query = [...projects].map((id) => `project_id=${encodeURIComponent(id)}`);
    const source = new EventSource(`/live?${query.join('&')}&session=${named}`);
    this.next = source;
    this.openedAt = this.spokeAt = Date.now();
    const listen = (name, act) =>
      source.addEventListener(name, (event) => {
        this.spokeAt = Date.now();
        act(JSON.parse(event.data));
      });
    listen('hello', (data) => this.begin(source, data));
    listen('still', () => {});
    listen('away', (data) => this.away(source, data));
    const ofProject = (data) => (tab) => tab.project === String(data.project_id);
    listen('session', (data) => this.share('session', data, ofProject(data)));
    listen('deleted', (data) => this.share('deleted', data, ofProject(data)));
    listen('points', (data) => this.share('points', data, (tab) => tab.sessions.has(data.session)));
    source.addEventListener('error', () => this.trouble(source));
  }

  close() {
    for (const timer of [this.gathering, this.retry]) clearTimeout(timer);
    this.source?.close();
    this.next?.close();
    this.source = this.next = null;
    this.gathering = this.retry = 0;
    this.state = '';
  }

  begin(source, data) {
    if (this.source !== source) this.source?.close();
    this.source = source;
    this.pause = RETRY_FIRST;
    this.state = 'hello';
    this.skew = data.time - Date.now() / 1000;
    const readable = data.projects.map(String);
    this.share('hello', { skew: this.skew }, ({ project }) => readable.includes(project));
    this.share('refused', {}, ({ project }) => !readable.includes(project));
  }

  away(source, { reason }) {
    if (source !== this.source) return;
    this.state = 'away';
    this.reason = reason;
    this.share('away', this.told(), () => true);
  }

  trouble(source) {
    if (source !== this.next) return;
    if (source.readyState !== EventSource.CLOSED) {
      this.state = 'trouble'; // the browser connects again by itself
    } else {
      // refused, as with 503 when the server has as many streams as it holds
      this.source?.close();
      this.source = null;
      this.state = 'refused';
      clearTimeout(this.retry);
      this.retry = setTimeout(() => this.open(), this.pause);
      this.pause = Math.min(this.pause * 2, RETRY_MOST);
    }
    this.share(this.state, {}, () => true);
  }

  share(name, data, isFor) {
    for (const [port, tab] of this.tabs) if (isFor(tab)) this.tell(port, tab, name, data);
  }

  /** A tab that does not take events, as a frozen one does not, is told to ask again once it does. */
  tell(port, tab, name, data) {
    if (tab.sent - tab.taken >= BEHIND_MOST) tab.behind = true;
    if (tab.behind) return;
    tab.sent += 1;
    port.postMessage({ name, data });
  }

  /** A tab that crashed says no bye; a connection that broke silently says nothing. */
  look() {
    const now = Date.now();
    for (const [port, { heardAt }] of this.tabs) if (now - heardAt > ABSENT_MOST) this.drop(port);
    if (!this.tabs.size || this.retry || this.gathering) return;
    const { projects, sessions } = this.shown();
    const surplus = this.asked.sessions.size - sessions.size;
    const isFat = this.asked.projects.size > projects.size || surplus > SURPLUS_MOST;
    if (now - this.spokeAt > QUIET_MOST || (isFat && now - this.openedAt > SLIM_EVERY)) this.open();
  }
}
