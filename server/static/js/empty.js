// Every empty place says what to do next.
import { baseUrl, ask, quickstartUrl, select, state, view } from './state.js';
import { list } from './sessions.js';

const tableBox = document.getElementById('table-empty');
const chartsBox = document.getElementById('charts-empty');
const table = document.getElementById('sessions');

/** The table has no rows. */
export function absentTable(absent) {
  table.tHead.hidden = absent;
  say(tableBox, absent ? tableWords() : null);
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
    link: ['Complete scripts with your key', quickstartUrl],
  };
}

const snippet = () =>
  [
    'import losswise',
    '',
    `losswise.set_base_url(${JSON.stringify(baseUrl)})`,
    'losswise.set_api_key("...")  # yours is on the quickstart page',
    '',
    'with losswise.Session(tag="my-model", max_iter=1000) as session:',
    '    for step in range(1000):',
    '        session.log({"train_loss": train(step)}, step)',
  ].join('\n');

/** There are no cards, or none that the filter lets through. */
export function absentCharts({ chosen, known, cards, hidden }) {
  document.body.classList.toggle(
    'newcomer',
    list.loaded && !list.ids.length && !chosen && !state.q && !state.status,
  );
  if (cards && !hidden) return say(chartsBox, null);
  if (cards) {
    return say(chartsBox, {
      id: 'filter',
      title: `No graph is called “${state.graphFilter}”`,
      button: [
        'Show all graphs',
        () => {
          document.getElementById('graph-filter').value = '';
          view({ graphFilter: '' });
        },
      ],
    });
  }
  if (!list.loaded || (chosen && !known)) return say(chartsBox, null);
  if (chosen) {
    return say(chartsBox, {
      id: 'graphless',
      title: chosen === 1 ? 'This session has no graph yet' : 'These sessions have no graph yet',
      text: 'A graph appears with its first point:',
      code: 'session.log({"train_loss": loss}, step)',
    });
  }
  if (!list.ids.length) return say(chartsBox, null);
  say(chartsBox, {
    id: `choose ${state.gone}`,
    title: state.gone || 'Choose sessions to see their graphs',
    text: 'Click a row to see it alone, its square to add it to the others.',
    button: ['Show the newest five', () => select(list.ids.slice(0, 5))],
  });
}

// Write the words, once: {id, title, text, code, button: [label, act], link: [label, address]} or null for none.
function say(box, words) {
  box.hidden = words === null;
  const id = words?.id ?? '';
  if (box.dataset.id === id) return;
  box.dataset.id = id;
  const parts = [];
  const add = (tag, text, more = {}) =>
    text && parts.push(Object.assign(document.createElement(tag), { textContent: text, ...more }));
  add('h2', words?.title);
  add('p', words?.text);
  add('pre', words?.code);
  if (words?.button) {
    add('button', words.button[0], { type: 'button', className: 'button' });
    parts.at(-1).addEventListener('click', words.button[1]);
  }
  if (words?.link) add('a', words.link[0], { href: words.link[1], className: 'button primary' });
  box.replaceChildren(...parts);
}
