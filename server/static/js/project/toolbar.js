// The two bars: search, status chips, news; horizontal axis, smoothing, log axis, zoom.
import { MODES } from '../charts/x_axis.js';
import { detailsOf, shortTag } from '../data/session.js';
import { list, reload } from '../data/session_list.js';
import { ask, on, sessions, state, view, zoomTo } from '../data/store.js';
import { whole } from '../ui/format.js';

const byId = (id) => document.getElementById(id);
const WAIT = 50; // milliseconds without another key

const STATUSES = [
  ['', 'All'],
  ['active', 'Active'],
  ['complete', 'Complete'],
  ['failed', 'Failed'],
  ['cancelled', 'Cancelled'],
];
const LIVE = {
  connecting: 'connecting',
  live: 'live',
  away: 'the database is away',
  reconnecting: 'reconnecting',
  polling: 'asking every 2 s',
  unreachable: 'server unreachable',
};

function later(act) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...given), WAIT);
  };
}

function chip(text, className = 'chip') {
  return Object.assign(document.createElement('button'), { type: 'button', className, textContent: text });
}

export function start() {
  search();
  statuses();
  axis();
  smoothing();
  zoom();
  details();
  news();
  on('live', (what) => {
    byId('live').dataset.state = what;
    byId('live').lastChild.textContent = LIVE[what];
  });
}

function search() {
  const field = byId('search');
  field.value = state.q;
  const send = later(() => field.value.trim() !== state.q && ask({ q: field.value.trim() }));
  field.addEventListener('input', send);
  on('question', () => {
    if (document.activeElement !== field) field.value = state.q;
  });
  const graphs = byId('graph-filter');
  graphs.addEventListener(
    'input',
    later(() => view({ graphFilter: graphs.value.trim() })),
  );
}

function statuses() {
  const box = byId('statuses');
  for (const [status, word] of STATUSES) {
    const button = chip('');
    button.dataset.status = status;
    if (status) button.append(Object.assign(document.createElement('i'), { className: 'dot' }));
    button.append(`${word} `, Object.assign(document.createElement('span'), { className: 'count' }));
    if (status) button.firstChild.classList.add('status', status);
    button.addEventListener('click', () => ask({ status: state.status === status ? '' : status }));
    box.append(button);
  }
  const draw = () => {
    const all = Object.values(list.counts).reduce((sum, count) => sum + count, 0);
    for (const button of box.children) {
      const { status } = button.dataset;
      const count = status ? (list.counts[status] ?? 0) : all;
      button.lastChild.textContent = list.loaded ? whole(count) : '';
      button.hidden = Boolean(status) && count === 0 && state.status !== status;
      button.ariaPressed = String(state.status === status);
    }
  };
  on('list', draw);
  on('question', draw);
  draw();
}

function axis() {
  const box = byId('x-mode');
  for (const { id, label } of MODES) {
    const button = chip(label);
    button.dataset.mode = id;
    button.addEventListener('click', () => view({ xMode: id }));
    box.append(button);
  }
  const log = byId('log-y');
  log.addEventListener('click', () => view({ logY: !state.logY }));
  const draw = () => {
    for (const button of box.children) button.ariaPressed = String(button.dataset.mode === state.xMode);
    log.ariaPressed = String(state.logY);
  };
  on('view', draw);
  draw();
}

function smoothing() {
  const slider = byId('smooth');
  slider.value = state.smooth;
  const show = () => {
    byId('smooth-value').textContent = Number(slider.value).toFixed(2);
  };
  slider.addEventListener('input', () => {
    show();
    view({ smooth: Number(slider.value) });
  });
  show();
}

function zoom() {
  const button = byId('reset-zoom');
  button.addEventListener('click', () => zoomTo(null));
  on('zoom', () => {
    button.disabled = state.zoom === null;
  });
  on('finer', (busy) => {
    button.textContent = busy ? 'Reset zoom …' : 'Reset zoom';
  });
}

function details() {
  const link = byId('details');
  const draw = () => {
    const [id] = state.selected;
    link.hidden = state.selected.length !== 1;
    if (link.hidden) return;
    link.href = detailsOf(id);
    link.lastChild.textContent = sessions.has(id) ? ` of ${shortTag(sessions.get(id))}` : '';
  };
  for (const name of ['selection', 'session']) on(name, draw);
  draw();
}

function news() {
  const button = byId('news');
  button.addEventListener('click', reload);
  on('list', () => {
    button.hidden = list.news.size === 0;
    button.textContent = `${list.news.size} new`;
    button.title = 'Load the sessions that have come since';
  });
}
