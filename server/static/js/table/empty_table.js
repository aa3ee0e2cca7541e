// What the table says while it has no rows.
import { list } from '../data/session_list.js';
import { ask, page, state } from '../data/store.js';
import { say } from '../ui/empty_state.js';

/** The table has no rows. */
export function absentTable(absent) {
  document.getElementById('sessions').tHead.hidden = absent;
  say(document.getElementById('table-empty'), absent ? tableWords() : null);
}

function tableWords() {
  if (list.error && list.refused) {
    return {
      id: 'refused',
      title: list.error,
      button: ['Show all sessions', () => ask({ q: '', status: '', sort: '-created_at' })],
    };
  }
  if (list.error)
    return {
      id: 'error',
      title: list.error,
      text: 'The page goes on asking. Sessions that run now keep their points and send them later.',
    };
  if (state.q || state.status) {
    const what = [state.q && `“${state.q}”`, state.status && `status ${state.status}`]
      .filter(Boolean)
      .join(', ');
    return {
      id: `none ${what}`,
      title: `No session matches ${what}`,
      button: ['Show all sessions', () => ask({ q: '', status: '' })],
    };
  }
  return {
    id: 'new',
    title: 'Waiting for the first session',
    text: 'Paste this into a training script and run it. Its curves appear here by themselves.',
    code: snippet(),
    link: ['Complete scripts with your key', page.quickstartUrl],
  };
}

const snippet = () =>
  [
    'import losswise',
    '',
    `losswise.set_base_url(${JSON.stringify(page.baseUrl)})`,
    'losswise.set_api_key("...")  # yours is on the quickstart page',
    '',
    'with losswise.Session(tag="my-model", max_iter=1000) as session:',
    '    for step in range(1000):',
    '        session.log({"train_loss": train(step)}, step)',
  ].join('\n');
