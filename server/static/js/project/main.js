// The entry point of the project page: starts its parts, and connects live updates with them.
import * as chartGrid from '../charts/chart_grid.js';
import { stepWindow } from '../charts/x_axis.js';
import { getSessions } from '../data/api.js';
import {
  catchUp as catchUpList,
  receive,
  receiveChange,
  receiveDeleted,
  refetch,
  update,
} from '../data/list_changes.js';
import { LiveUpdates } from '../data/live_updates.js';
import * as preferences from '../data/preferences.js';
import * as series from '../data/series_store.js';
import { tagOf } from '../data/session.js';
import { list, reload, retryNow } from '../data/session_list.js';
import * as store from '../data/store.js';
import { emit, on, select, sessions, state, unselect } from '../data/store.js';
import * as columns from '../table/columns.js';
import * as table from '../table/session_table.js';
import * as tableFoot from '../table/table_foot.js';
import { byId } from '../ui/dom.js';
import { reloadFor } from '../ui/upgrade.js';
import * as keyboard from './keyboard.js';
import * as newest from './newest.js';
import * as search from './search.js';
import * as splitter from './splitter.js';
import * as toolbar from './toolbar.js';
import * as unlisted from './unlisted.js';
import * as views from './views.js';

/** @import { Entry, Window } from '../data/layer.js' */

const FOLLOW_DELAY_MS = 150;

let pageTitle = '';
/** @type {typeof import('./groups.js') | null} once a group of sessions is in the charts */
let groups = null;

async function start() {
  pageTitle = document.title;
  if (location.hash.startsWith('#binned=')) (await import('../rows/apply.js')).reportBinned();
  store.start();
  series.start(zoomWindow);
  preferences.start();
  columns.start();
  table.start();
  tableFoot.start();
  chartGrid.start();
  search.start();
  toolbar.start();
  views.start();
  unlisted.start();
  keyboard.start();
  splitter.start();
  newest.start();
  on('groups', startGroups);
  startGroups();

  const live = new LiveUpdates({
    hello: () => {
      retryNow();
      catchUp().catch(() => {}); // the next hello or poll tries again
    },
    session: receive,
    change: receiveChange,
    deleted: receiveDeleted,
    points: series.append,
    version: (version) => reloadFor(version.static, isBusy),
    poll: catchUp,
  });
  let followTimer = 0;
  let followed = [...state.selected];
  on('selection', () => {
    fetchSelected();
    series.unfollow(followed.filter((id) => !state.selected.includes(id)));
    followed = [...state.selected];
    clearTimeout(followTimer);
    followTimer = setTimeout(() => live.open(), FOLLOW_DELAY_MS);
  });
  on('deleted', (id) => {
    if (!state.selected.includes(id)) return;
    const notice = list.lastDeleted ? `${tagOf(list.lastDeleted)} is no longer in this project` : '';
    if (notice) emit('message', notice);
    unselect(id, { automatic: state.automatic, byItself: true, notice });
  });
  on('list', chartGrid.arrange);
  on('message', (text) => {
    byId('announce').textContent = text;
  });
  on('edited', () => catchUp().catch(() => {}));
  on('selection', showTitle);
  on('session', showTitle);

  await Promise.all([reload(), fetchSelected()]);
  if (state.selected.length === 1) table.reveal(state.selected[0]);
  showTitle();
  chartGrid.arrange();
  if (!followTimer) live.open();
}

async function startGroups() {
  if (!state.groups.length || groups) return;
  groups = await import('./groups.js');
  groups.start();
}

/** Fetch selected sessions that the table has not loaded. */
async function fetchSelected() {
  const wanted = state.selected.filter((id) => !sessions.has(id));
  if (!wanted.length) return;
  let found;
  try {
    found = await getSessions(wanted);
  } catch {
    return; // the next hello or poll tries again
  }
  found.forEach(update);
  const missing = wanted.filter((id) => !sessions.has(id));
  const notice = 'The selected session does not exist, or has been deleted';
  const left = state.selected.filter((id) => !missing.includes(id));
  if (missing.length) select(left, { automatic: state.automatic, byItself: true, notice });
}

/** Fetch what has changed while there were no live updates. */
async function catchUp() {
  await catchUpList();
  await fetchSelected();
  const others = store.selectedSessions().filter(({ id, status }) => status === 'active' && !list.ids.includes(id));
  await Promise.all(others.map(({ id }) => refetch(id)));
  series.catchUp();
  groups?.catchUp();
}

/**
 * The zoom's window of a graph in steps.
 *
 * @param {Entry} entry
 * @returns {Window | null}
 */
function zoomWindow({ session, full }) {
  const [longest] = [...(full?.lines.values() ?? [])].sort((a, b) => b.x.length - a.x.length);
  return longest && state.zoom ? stepWindow(longest, sessions.get(session), state.xMode, state.zoom) : null;
}

/** Whether a reload would lose what the address does not hold: typed text, something that is open, what can be undone. */
const isBusy = () =>
  state.allMatching ||
  document.querySelector('input[type=search]:focus, dialog[open], details[open], .popup-menu, .toast-action') !== null;

function showTitle() {
  const session = state.selected.length === 1 ? sessions.get(state.selected[0]) : undefined;
  document.title = session ? `${tagOf(session)} · ${pageTitle}` : pageTitle;
}

start();
