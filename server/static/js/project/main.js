// The project's page: puts its parts together.
import * as chartGrid from '../charts/chart_grid.js';
import { getSession } from '../data/api.js';
import { LiveUpdates } from '../data/live_updates.js';
import * as series from '../data/series_store.js';
import { tagOf } from '../data/session.js';
import { absorb, forget, list, refresh, reload } from '../data/session_list.js';
import * as store from '../data/store.js';
import { emit, on, select, sessions, state } from '../data/store.js';
import * as columns from '../table/columns.js';
import * as table from '../table/session_table.js';
import { reloadFor } from '../ui/upgrade.js';
import * as keyboard from './keyboard.js';
import * as splitter from './splitter.js';
import * as toolbar from './toolbar.js';

const SHOWN_FIRST = 5;

/** Selected sessions that the table has not loaded are asked for one by one. */
async function fetchSelected(always = false) {
  const missing = state.selected.filter((id) => always || !sessions.has(id));
  await Promise.all(
    missing.map(async (id) => {
      try {
        absorb(await getSession(id));
      } catch (error) {
        if (error.status === 404 || error.status === 410)
          select(
            state.selected.filter((other) => other !== id),
            { gone: 'The chosen session is not here, or no longer' },
          );
        else if (always) throw error;
      }
    }),
  );
}

/** After a broken connection, or while there is no stream: what has changed? */
async function catchUpAll() {
  await refresh();
  await fetchSelected(false);
  const stillShown = state.selected.filter(
    (id) => !list.ids.slice(0, 100).includes(id) && sessions.get(id)?.status === 'active',
  );
  for (const id of stillShown) absorb(await getSession(id));
  series.catchUp();
}

// Until the person chooses, the newest sessions are shown, those that start now too.
let first = true;
function showNewest() {
  const filtered = state.q || state.status || state.sort !== '-created_at';
  if (!state.automatic || !list.loaded || (filtered && !first)) return;
  first = false;
  if (state.selected.length >= SHOWN_FIRST) return;
  const fresh = list.ids
    .filter((id) => !state.selected.includes(id))
    .slice(0, SHOWN_FIRST - state.selected.length);
  if (fresh.length) select([...state.selected, ...fresh], { automatic: true });
}

/** Whether a reload would lose what the address does not hold: a zoom, a filter of graphs, an open menu, typed text. */
const isBusy = () =>
  Boolean(state.zoom || state.graphFilter || document.querySelector('input[type=search]:focus, dialog[open], details[open]'));

let plainTitle = '';
function showTitle() {
  const alone = state.selected.length === 1 ? sessions.get(state.selected[0]) : null;
  document.title = alone ? `${tagOf(alone)} · ${plainTitle}` : plainTitle;
}

export async function start() {
  plainTitle = document.title;
  for (const part of [store, series, columns, table, chartGrid, toolbar, keyboard, splitter]) part.start();
  table.draw();

  const live = new LiveUpdates({
    hello: () => catchUpAll().catch(() => {}),
    session: absorb,
    deleted: ({ id }) => forget(id),
    points: series.append,
    version: (data) => reloadFor(data.static, isBusy),
    poll: catchUpAll,
  });

  let followed = [...state.selected];
  let following = 0;
  on('selection', () => {
    fetchSelected();
    series.unfollow(followed.filter((id) => !state.selected.includes(id)));
    followed = [...state.selected];
    clearTimeout(following);
    following = setTimeout(() => live.open(), 150);
  });
  on('deleted', (id) => {
    if (!state.selected.includes(id)) return;
    const gone = list.gone ? `${tagOf(list.gone)} was deleted` : '';
    if (gone) emit('trouble', gone);
    select(
      state.selected.filter((other) => other !== id),
      { automatic: state.automatic, gone },
    );
  });
  on('list', () => {
    showNewest();
    chartGrid.arrange();
  });
  on('trouble', (text) => {
    document.getElementById('announce').textContent = text;
  });

  for (const name of ['selection', 'session']) on(name, showTitle);

  await Promise.all([reload(), fetchSelected()]);
  if (state.selected.length === 1) table.reveal(state.selected[0]);
  showTitle();
  chartGrid.arrange();
  if (!following) live.open();
  emit('ready');
}

await start();
