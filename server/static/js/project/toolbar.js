// The two toolbars: status filters, new sessions; graph filter, horizontal axis, smoothing, log axis, zoom.
import { MODES } from '../charts/x_axis.js';
import { chosen, countOf } from '../data/chosen.js';
import { detailsOf, shortTag } from '../data/session.js';
import { list, reloadAll } from '../data/session_list.js';
import { on, sessions, setQuery, setView, state, zoomTo } from '../data/store.js';
import { byId, childrenOf, elementById, find, make } from '../ui/dom.js';
import { whole } from '../ui/format.js';

/** @import { Status } from '../data/session.js' */
/** @import { LiveStatus } from '../data/store.js' */

const TYPING_DELAY_MS = 50;

/** @type {[status: Status | '', label: string][]} */
const STATUSES = [
  ['', 'All'],
  ['active', 'Active'],
  ['complete', 'Complete'],
  ['failed', 'Failed'],
  ['cancelled', 'Cancelled'],
];

/** @type {Record<LiveStatus, string>} */
const LIVE_LABELS = {
  connecting: 'connecting',
  live: 'live',
  unavailable: 'database unavailable',
  reconnecting: 'reconnecting',
  polling: 'polling every 2 s',
  unreachable: 'server unreachable',
};

export function start() {
  startStatuses();
  startGraphFilter();
  startAxis();
  startSmoothing();
  startZoom();
  startDetails();
  startNewSessions();
  startPlace();
  startChosen();
  startGrouping();
  on('live', (status) => {
    byId('live').dataset.state = status;
    find(byId('live'), 'span').textContent = LIVE_LABELS[status];
  });
}

const chip = (text = '') => make('button', { type: 'button', className: 'chip' }, text);

function startGraphFilter() {
  const filter = elementById('graph-filter', HTMLInputElement);
  let timer = 0;
  filter.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(() => setView({ graphFilter: filter.value.trim() }), TYPING_DELAY_MS);
  });
  filter.value = state.graphFilter;
  on('view', () => {
    if (document.activeElement !== filter) filter.value = state.graphFilter;
  });
}

function startStatuses() {
  const buttons = STATUSES.map(([status, label]) => {
    const button = chip();
    const count = make('span', { className: 'count' });
    if (status) button.append(make('i', { className: `dot status ${status}` }));
    button.append(`${label} `, count);
    button.dataset.status = status;
    button.addEventListener('click', () => setQuery({ status: state.status === status ? '' : status }));
    return { status, button, count };
  });
  byId('statuses').append(...buttons.map(({ button }) => button));
  const draw = () => {
    const all = Object.values(list.counts).reduce((sum, count) => sum + count, 0);
    for (const { status, button, count } of buttons) {
      const sessionCount = status ? (list.counts[status] ?? 0) : all;
      count.textContent = list.loaded ? whole(sessionCount) : '';
      button.hidden = Boolean(status) && sessionCount === 0 && state.status !== status;
      button.ariaPressed = String(state.status === status);
    }
  };
  on('list', draw);
  on('query', draw);
  draw();
}

function startAxis() {
  const box = byId('x-mode');
  for (const { id, label } of MODES) {
    const button = chip(label);
    button.dataset.mode = id;
    button.addEventListener('click', () => setView({ xMode: id }));
    box.append(button);
  }
  const log = byId('log-y');
  log.addEventListener('click', () => setView({ logY: !state.logY }));
  const draw = () => {
    for (const button of childrenOf(box)) button.ariaPressed = String(button.dataset.mode === state.xMode);
    log.ariaPressed = String(state.logY);
  };
  on('view', draw);
  draw();
}

function startSmoothing() {
  const slider = elementById('smooth', HTMLInputElement);
  const draw = () => {
    slider.value = String(state.smooth);
    byId('smooth-value').textContent = state.smooth.toFixed(2);
  };
  slider.addEventListener('input', () => setView({ smooth: Number(slider.value) }));
  on('view', draw);
  draw();
}

function startZoom() {
  const button = elementById('reset-zoom', HTMLButtonElement);
  button.addEventListener('click', () => zoomTo(null));
  const draw = () => {
    button.disabled = state.zoom === null;
  };
  on('zoom', draw);
  draw();
  on('refining', (isRefining) => {
    button.textContent = isRefining ? 'Reset zoom …' : 'Reset zoom';
  });
}

function startDetails() {
  const link = elementById('details', HTMLAnchorElement);
  const draw = () => {
    const [id] = state.selected;
    link.hidden = state.selected.length !== 1;
    if (link.hidden) return;
    const session = sessions.get(id);
    link.href = detailsOf(id);
    find(link, 'span').textContent = session ? ` of ${shortTag(session)}` : '';
  };
  on('selection', draw);
  on('session', draw);
  draw();
}

function startNewSessions() {
  const button = byId('news');
  button.addEventListener('click', reloadAll);
  button.title = 'Load the new sessions';
  on('list', () => {
    button.hidden = list.unplaced.size === 0;
    button.textContent = `${list.unplaced.size} new`;
  });
}

function startPlace() {
  const field = elementById('place', HTMLSelectElement);
  const draw = () => {
    field.value = state.place;
    field.classList.toggle('on', state.place !== '');
  };
  field.addEventListener('change', () => {
    setQuery({ place: /** @type {'' | 'archive' | 'bin'} */ (field.value) });
  });
  on('query', draw);
  draw();
}

function startChosen() {
  const button = byId('chosen');
  button.addEventListener('click', async () => {
    const menu = await import('../rows/chosen_menu.js');
    const { left, bottom } = button.getBoundingClientRect();
    menu.open({ x: left, y: bottom + 4 });
  });
  const draw = () => {
    const count = countOf(chosen());
    button.hidden = count === 0;
    button.textContent = `${whole(count)} selected ▾`;
  };
  on('selection', draw);
  on('list', draw);
  on('rows', draw); // of a chosen group
  draw();
}

function startGrouping() {
  const menu = elementById('grouping', HTMLDetailsElement);
  menu.addEventListener('toggle', async () => {
    if (menu.open) (await import('./group_menu.js')).fill(menu);
  });
  const draw = () => {
    find(menu, '.by').textContent = state.by.join(' › ');
    find(menu, 'summary').classList.toggle('on', state.by.length > 0);
  };
  on('grouping', draw);
  draw();
}
