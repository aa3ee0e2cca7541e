// What the table shows while it has no rows.
import { list } from '../data/session_list.js';
import { page, setQuery, state } from '../data/store.js';
import { byId, make } from '../ui/dom.js';
import { showEmpty } from '../ui/empty_state.js';

const PLACEHOLDER_ROWS = 5;

/** @import { EmptyMessage } from '../ui/empty_state.js' */

/** @param {boolean} isEmpty */
export function showEmptyTable(isEmpty) {
  showEmpty(byId('table-empty'), isEmpty ? currentMessage() : null);
}

/** @returns {EmptyMessage} */
function currentMessage() {
  if (list.error && list.rejected)
    return {
      id: 'rejected',
      title: list.error,
      button: ['Show all sessions', () => setQuery({ q: '', status: '', sort: '-created_at', place: '' })],
    };
  if (list.error)
    return {
      id: 'error',
      title: list.error,
      text: 'The page keeps trying. Running sessions keep their points and send them later.',
    };
  if (state.q || state.status) {
    const what = [state.q && `“${state.q}”`, state.status && `status ${state.status}`].filter(Boolean).join(', ');
    return {
      id: `none ${what} ${state.place}`,
      title: `No session${state.place ? ` in the ${state.place}` : ''} matches ${what}`,
      button: ['Show all sessions', () => setQuery({ q: '', status: '' })],
    };
  }
  if (state.place)
    return {
      id: state.place,
      title: state.place === 'bin' ? 'The bin is empty' : 'The archive is empty',
      text:
        state.place === 'bin'
          ? 'Deleted sessions stay here for 30 days, and can be restored.'
          : 'Archive sessions to keep them out of the table and of searches.',
      button: ['Show the current sessions', () => setQuery({ place: '' })],
    };
  return {
    id: 'new',
    title: 'Waiting for the first session',
    text: 'Paste this into a training script and run it. Its curves appear here while it runs.',
    code: snippet(),
    link: ['Complete scripts with your API key', page.quickstartUrl],
  };
}

const snippet = () =>
  [
    'import losswise',
    '',
    `losswise.set_base_url(${JSON.stringify(page.baseUrl)})`,
    'losswise.set_api_key("...")  # see Quickstart',
    '',
    'with losswise.Session(tag="my-model", max_iter=1000) as session:',
    '    for step in range(1000):',
    '        session.log({"train_loss": train(step)}, step)',
  ].join('\n');

/**
 * Show that rows are being loaded.
 *
 * @param {HTMLElement} body of the table
 * @param {number} columns
 */
export function showPlaceholder(body, columns) {
  if (body.querySelector('.first')) return; // the server's rows
  const cells = () => Array.from({ length: columns }, () => make('td'));
  const placeholder = () => make('tr', { className: 'skeleton', ariaHidden: 'true' }, ...cells());
  body.replaceChildren(...Array.from({ length: PLACEHOLDER_ROWS }, placeholder));
}
