import assert from 'node:assert/strict';
import { afterEach, before, beforeEach, mock, test } from 'node:test';
import { installBrowser, setHidden } from '../support.js';

/** @type {Stream[]} */
let streams = [];
let store;
let LiveUpdates;
let heard;
let live;
let poll;

class Stream extends EventTarget {
  static CLOSED = 2;
  constructor(address) {
    super();
    this.address = new URL(address, 'http://server');
    this.readyState = 0;
    streams.push(this);
  }
  say(name, data) {
    this.dispatchEvent(Object.assign(new Event(name), { data: JSON.stringify(data) }));
  }
  hello() {
    this.readyState = 1;
    this.say('hello', { time: Date.now() / 1000 });
  }
  break(state) {
    this.readyState = state;
    this.dispatchEvent(new Event('error'));
  }
  close() {
    this.readyState = 2;
  }
}

const open = () => streams.filter(({ readyState }) => readyState !== 2);
const names = () => heard.map(([name]) => name);
const tick = async (ms) => {
  mock.timers.tick(ms);
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
};

before(async () => {
  installBrowser();
  globalThis.EventSource = Stream;
  store = await import('../../../server/static/js/data/store.js');
  ({ LiveUpdates } = await import('../../../server/static/js/data/live_updates.js'));
  store.on('live', (status) => heard.push([status]));
});

beforeEach(() => {
  installBrowser({ search: '?s=a&s=b' });
  store.start();
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_000_000 });
  streams = [];
  heard = [];
  poll = async () => {};
  const note = (name) => (data) => heard.push([name, data]);
  live = new LiveUpdates({
    hello: note('hello'),
    session: note('session'),
    deleted: note('deleted'),
    points: note('points'),
    version: note('version'),
    poll: () => {
      heard.push(['poll']);
      return poll();
    },
  });
  live.open();
});

afterEach(() => {
  live.close();
  mock.timers.reset();
});

test('events reach their handlers', () => {
  const [stream] = streams;
  stream.say('version', { static: 'v-2' });
  stream.hello();
  for (const name of ['session', 'points', 'deleted']) stream.say(name, { id: name });
  assert.deepEqual(names(), ['version', 'live', 'hello', 'session', 'points', 'deleted']);
  assert.deepEqual(heard.at(-1), ['deleted', { id: 'deleted' }]);
  assert.equal(stream.address.search, '?project_id=7&session=a%2Cb');
});

test('the server tells its clock', () => {
  streams[0].say('hello', { time: 1_000 + 30 });
  assert.equal(store.state.skew, 30);
});

test('the old stream goes on until the new one speaks', () => {
  streams[0].hello();
  store.select(['c']);
  live.open();
  assert.deepEqual(open(), streams);
  streams[0].say('points', {});
  streams[1].hello();
  assert.deepEqual(open(), [streams[1]]);
  assert.equal(streams[1].address.searchParams.get('session'), 'c');
  assert.deepEqual(names(), ['live', 'hello', 'points', 'hello']);
});

test('more sessions than an address can name are all of the project', () => {
  store.select(Array.from({ length: 151 }, (_, n) => `s${n}`));
  live.open();
  assert.equal(streams[1].address.searchParams.get('session'), '*');
});

test('a hidden tab has no stream, and catches up when it is shown', async () => {
  streams[0].hello();
  setHidden(true);
  assert.deepEqual(open(), []);
  live.open();
  await tick(60_000);
  assert.equal(streams.length, 1);
  assert.deepEqual(names(), ['live', 'hello']);
  setHidden(false);
  assert.equal(open().length, 1);
  streams[1].hello();
  assert.deepEqual(names(), ['live', 'hello', 'hello']);
});

test('a hidden tab does not poll', async () => {
  streams[0].break(2);
  await tick(1);
  setHidden(true);
  const polls = names().length;
  await tick(60_000);
  assert.equal(names().length, polls);
});

test('a refused stream is tried again, less and less often, and meanwhile the page polls', async () => {
  streams[0].break(2);
  await tick(1);
  assert.deepEqual(names(), ['poll', 'polling']);
  const times = [];
  for (let second = 1; second <= 60; second += 1) {
    const before = streams.length;
    await tick(1000);
    if (streams.length > before) {
      times.push(second);
      streams.at(-1).break(2);
    }
  }
  assert.deepEqual(times, [2, 6, 14, 29, 44, 59]);
  streams.at(-1).hello();
  heard = [];
  await tick(10_000);
  assert.deepEqual(names(), []);
});

test('a stream that breaks is reconnected by the browser; the page polls if that takes long', async () => {
  streams[0].hello();
  streams[0].break(0);
  assert.equal(live.status, 'reconnecting');
  await tick(2400);
  assert.ok(!names().includes('poll'));
  await tick(200);
  assert.equal(live.status, 'polling');
  streams[0].hello();
  assert.equal(live.status, 'live');
  assert.equal(streams.length, 1);
});

test('a stream that is held back is replaced by polling', async () => {
  await tick(4900);
  assert.ok(!names().includes('poll'));
  await tick(200);
  assert.equal(live.status, 'polling');
});

test('a silent stream is opened anew', async () => {
  streams[0].hello();
  for (let n = 0; n < 6; n += 1) {
    await tick(15_000);
    streams[0].say('ping', {});
  }
  assert.equal(streams.length, 1);
  await tick(45_000);
  assert.equal(streams.length, 2);
});

test('an unavailable database is told, and a hello ends it', async () => {
  streams[0].hello();
  streams[0].say('unavailable', { reason: 'It restarts.' });
  await tick(10_000);
  assert.deepEqual(names(), ['live', 'hello', 'unavailable']);
  streams[0].hello();
  assert.deepEqual(names().slice(3), ['live', 'hello']);
});

test('polling tells why it fails, and a stream is tried as soon as it works', async () => {
  const { ApiError } = await import('../../../server/static/js/data/http.js');
  poll = async () => {
    throw new ApiError('', 503);
  };
  streams[0].break(2);
  await tick(1);
  assert.equal(live.status, 'unavailable');
  poll = async () => {
    throw new ApiError('', 0);
  };
  streams.at(-1).break(2);
  await tick(2001);
  assert.equal(live.status, 'unreachable');
  poll = async () => {};
  const before = streams.length;
  await tick(2000);
  assert.ok(streams.length > before);
});
