// What the page shows, in one place; the address bar holds the part that a reload must keep.
import { Palette } from '../ui/palette.js';
import { readPref, writePref } from '../ui/prefs.js';

const bus = new EventTarget();
const NONE = 'none';

export const on = (name, listener) => bus.addEventListener(name, (event) => listener(event.detail));
export const once = (name, listener) =>
  bus.addEventListener(name, (event) => listener(event.detail), { once: true });
export const emit = (name, detail) => bus.dispatchEvent(new CustomEvent(name, { detail }));

/** What the server wrote into the page: the project's id and addresses. */
export const page = { project: '', baseUrl: '', quickstartUrl: '' };
export const palette = new Palette();

/** Every session that this page has heard of: id -> session as the read API gives it. */
export const sessions = new Map();

export const state = {
  q: '',
  status: '',
  sort: '-created_at',
  selected: [],
  /** True until the person chooses: the newest sessions are then shown by themselves. */
  automatic: true,
  /** {min, max} in units of the horizontal axis, or null. */
  zoom: null,
  xMode: 'step',
  smooth: 0,
  logY: false,
  graphFilter: '',
  /** Why the session that was looked at is not there, until the next choice. */
  gone: '',
  /** Server's clock minus ours, in seconds. */
  skew: 0,
};

/** Read what the page, its address and earlier visits say. */
export function start() {
  const { project, baseUrl, quickstart } = document.getElementById('content').dataset;
  Object.assign(page, { project, baseUrl, quickstartUrl: quickstart });
  const query = new URLSearchParams(location.search);
  Object.assign(state, readPref('view', {}), {
    q: query.get('q') ?? '',
    status: query.get('status') ?? '',
    sort: query.get('sort') ?? '-created_at',
    selected: query.getAll('s').filter((id) => id !== NONE),
    automatic: !query.has('s'),
  });
  palette.load(project);
  if (state.selected.length) palette.assign(state.selected);
}

export const now = () => Date.now() / 1000 + state.skew;

/** Show these sessions. `gone` is why there are fewer, when it was not the person's choice. */
export function select(ids, { automatic = false, gone = '' } = {}) {
  state.automatic = automatic;
  const unique = [...new Set(ids)];
  if (unique.join() === state.selected.join()) return;
  state.selected = unique;
  state.gone = gone;
  palette.assign(unique);
  writeAddress();
  emit('selection');
}

export const toggle = (id) =>
  select(
    state.selected.includes(id) ? state.selected.filter((other) => other !== id) : [...state.selected, id],
  );

/** Another question to the server: search, status or sort. */
export function ask(changes) {
  Object.assign(state, changes);
  writeAddress();
  emit('question');
}

/** How charts are drawn; kept for the next visit. */
export function view(changes) {
  Object.assign(state, changes);
  if ('xMode' in changes) zoomTo(null);
  const { xMode, smooth, logY } = state;
  writePref('view', { xMode, smooth, logY });
  emit('view', changes);
}

export function zoomTo(range) {
  if (range === null && state.zoom === null) return;
  state.zoom = range;
  emit('zoom');
}

function writeAddress() {
  const address = new URLSearchParams();
  if (state.q) address.set('q', state.q);
  if (state.status) address.set('status', state.status);
  if (state.sort !== '-created_at') address.set('sort', state.sort);
  for (const id of state.selected) address.append('s', id);
  if (!state.selected.length && !state.automatic) address.append('s', NONE);
  const text = address.toString().replaceAll('%28', '(').replaceAll('%29', ')');
  history.replaceState(null, '', text ? `?${text}` : location.pathname);
}
