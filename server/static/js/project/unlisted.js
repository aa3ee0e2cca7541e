// Above the charts: how many of the sessions that they show are not in the table, because the query leaves them out, and
// a button that shows those that match instead.
import { listSessions } from '../data/api.js';
import { joined } from '../data/group_query.js';
import { currentFilter, list } from '../data/list_state.js';
import { tokensOf } from '../data/query_text.js';
import { on, page, select, state } from '../data/store.js';
import { byId, make } from '../ui/dom.js';
import { whole } from '../ui/format.js';

const MAX_SHOWN = 20; // sessions that the button shows: their curves can still be told apart
const MAX_ASKED = 18; // ids in one query, beside its own terms
const MAX_TOKENS = 48; // of the query and the ids: the server takes 50 terms
const DELAY_MS = 500;
const ASK_INTERVAL_MS = 5000; // at least, for the same question: rows change all the time

/** @type {AbortController | null} */
let request = null;
let asked = { key: '', at: 0 };
let shownKey = '';

export function start() {
  let timer = 0;
  const checkSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(check, DELAY_MS);
  };
  on('list', checkSoon);
  on('selection', checkSoon);
}

/** Count the sessions that are shown and do not match. Rows that are not loaded are asked for. */
async function check() {
  const isFiltered = Boolean(state.q || state.status || state.place);
  const others = isFiltered && list.loaded && !list.error ? state.selected.filter((id) => !list.ids.includes(id)) : [];
  const key = JSON.stringify([state.q, state.status, state.place, others]);
  if (list.next && others.length && key === asked.key && Date.now() - asked.at < ASK_INTERVAL_MS) return;
  request?.abort();
  asked = { key: '', at: 0 };
  if (!others.length) return show(0);
  if (!list.next) return show(others.length);
  asked = { key, at: Date.now() };
  request = new AbortController();
  try {
    show(others.length - (await countMatching(others, request.signal)));
  } catch {
    show(0); // the next change of the list checks again
  }
}

/**
 * How many of these sessions match. Those of a long query are asked for a few at a time.
 *
 * @param {string[]} ids
 * @param {AbortSignal} signal
 */
export async function countMatching(ids, signal) {
  const { q, ...filter } = currentFilter();
  const most = Math.max(1, Math.min(MAX_ASKED, MAX_TOKENS - tokensOf(q).length));
  let count = 0;
  for (let start = 0; start < ids.length; start += most) {
    const these = ids
      .slice(start, start + most)
      .map((id) => `id=${id}`)
      .join(' or ');
    const asked = { ...filter, q: joined(q, `(${these})`), limit: most, counts: '0' };
    count += (await listSessions(page.project, asked, signal)).sessions.length;
  }
  return count;
}

/** @param {number} count sessions whose charts are shown, and which do not match */
function show(count) {
  const box = byId('unlisted');
  box.hidden = count === 0;
  const key = JSON.stringify([count, state.selected.length, list.total, list.ids.length]);
  if (!count || key === shownKey) return;
  shownKey = key;
  const total = state.selected.length;
  const verb = count === 1 ? 'does not match' : 'do not match';
  const what =
    total === 1
      ? 'The session shown here does not match'
      : count === total
        ? 'None of the sessions shown here matches'
        : `${whole(count)} of the ${whole(total)} sessions shown here ${verb}`;
  const most = Math.min(MAX_SHOWN, list.ids.length);
  const label =
    list.total <= MAX_SHOWN
      ? list.total === 1
        ? 'Show the one that matches'
        : `Show the ${whole(list.total)} that match`
      : `Show the first ${whole(most)} that match`;
  const button = make('button', { type: 'button', className: 'button' }, label);
  button.addEventListener('click', () => select(list.ids.slice(0, MAX_SHOWN)));
  box.replaceChildren(make('span', {}, `${what} the ${state.q ? 'query' : 'filter'}.`), ...(most ? [button] : []));
}
