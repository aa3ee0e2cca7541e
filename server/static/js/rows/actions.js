// What can be done to sessions: the same list for the row's menu, the bar of the chosen sessions and the keys.

import { countOf, loadedOf, sessionsOf } from '../data/chosen.js';
import { messageOf } from '../data/http.js';
import { detailsOf, tagOf } from '../data/session.js';
import { page, state } from '../data/store.js';
import { showToast } from '../ui/toast.js';
import { apply, binnedText, sessionsText } from './apply.js';
import { deleteForGood, editNote, editTags, moveToProject, rename, showAlike } from './dialogs.js';
import { compare, download, MAX_COMPARED } from './take_out.js';

/** @import { Session } from '../data/session.js' */
/** @import { Chosen } from '../data/edits.js' */
/** @import { MenuItem } from '../ui/popup_menu.js' */

const MAX_TAGGED = 100; // whose present tags the dialog shows, if they are not loaded

/**
 * @typedef {object} Action
 * @property {string} id
 * @property {string} label
 * @property {string} [key]
 * @property {boolean} [single] whether it is for one session only
 * @property {number} [needs] it is given the sessions if they are no more than these, else those that are loaded; 1 by
 *   default if it is for one session only
 * @property {boolean} [reads] whether it changes nothing, so that everybody may do it
 * @property {boolean} [danger]
 * @property {boolean} [separated] whether a line is above it in a menu
 * @property {(chosen: Chosen, sessions: Session[]) => unknown} act
 */

/**
 * The actions for these sessions, in the order of a menu.
 *
 * @param {Chosen} chosen
 * @returns {Action[]}
 */
export function actionsFor(chosen) {
  const among = loadedOf(chosen);
  const areStarred = among.length > 0 && among.every(({ starred }) => starred);
  const isSingle = countOf(chosen) === 1;
  const all = [
    ...OPEN,
    ...EDIT,
    star(areStarred),
    ...COPY,
    ...takeOutActions(countOf(chosen)),
    ...MOVE,
    ...placeActions(),
  ];
  return all.filter(({ single, reads }) => (isSingle || !single) && (page.mayWrite || reads));
}

/** @type {Action[]} */
const OPEN = [
  {
    id: 'open',
    reads: true,
    label: 'Open',
    key: 'd',
    single: true,
    act: (_, [session]) => location.assign(detailsOf(session.id)),
  },
];

/** @type {Action[]} */
const EDIT = [
  {
    id: 'rename',
    label: 'Rename …',
    key: 'r',
    single: true,
    separated: true,
    act: (_, [session]) => rename(session),
  },
  {
    id: 'tags',
    label: 'Tags …',
    key: 'l',
    needs: MAX_TAGGED,
    act: (chosen, sessions) => editTags(chosen, sessions, countOf(chosen)),
  },
  { id: 'note', label: 'Note …', key: 'n', single: true, act: (_, [session]) => editNote(session) },
];

/**
 * @param {boolean} areStarred
 * @returns {Action}
 */
const star = (areStarred) => ({
  id: 'star',
  label: areStarred ? 'Remove star' : 'Star',
  key: 's',
  act: (chosen) =>
    apply(chosen, { starred: !areStarred }, (count) =>
      areStarred ? `Star removed from ${sessionsText(count)}` : `${sessionsText(count)} starred`,
    ),
});

/** @type {Action[]} */
const COPY = [
  {
    id: 'copy-id',
    reads: true,
    label: 'Copy id',
    single: true,
    separated: true,
    act: (_, [session]) => copy('Id', session.id),
  },
  {
    id: 'copy-link',
    reads: true,
    label: 'Copy link',
    single: true,
    act: (_, [session]) => copy('Link', new URL(`/s/${session.id}`, location.href).href),
  },
  {
    id: 'copy-params',
    reads: true,
    label: 'Copy params as JSON',
    single: true,
    act: (_, [session]) => copy('Params', JSON.stringify(session.params ?? {}, null, 2)),
  },
  {
    id: 'alike',
    reads: true,
    label: 'Sessions like this …',
    single: true,
    act: (_, [session]) => showAlike(session),
  },
];

/** @type {Action} */
const COMPARE = {
  id: 'compare',
  reads: true,
  label: 'Compare',
  separated: true,
  needs: MAX_COMPARED,
  act: (chosen, sessions) => compare(sessions, countOf(chosen)),
};

/**
 * @param {number} count
 * @returns {Action[]}
 */
const takeOutActions = (count) => [
  ...(count > 1 ? [COMPARE] : []),
  {
    id: 'csv',
    reads: true,
    label: 'Download as CSV',
    separated: count === 1,
    act: (chosen) => download(chosen, 'csv'),
  },
  { id: 'jsonl', reads: true, label: 'Download as JSON lines', act: (chosen) => download(chosen, 'jsonl') },
];

/** @type {Action[]} */
const MOVE = [
  { id: 'move', label: 'Move to project …', separated: true, act: (chosen) => moveToProject(chosen, countOf(chosen)) },
];

/** @returns {Action[]} */
function placeActions() {
  if (state.place === 'bin')
    return [
      {
        id: 'restore',
        label: 'Restore',
        key: 'e',
        act: (chosen) => apply(chosen, { deleted: false }, (count) => `${sessionsText(count)} restored`),
      },
      {
        id: 'purge',
        label: 'Delete for good …',
        danger: true,
        act: (chosen) => deleteForGood(chosen, countOf(chosen)),
      },
    ];
  const isArchive = state.place === 'archive';
  return [
    {
      id: 'archive',
      label: isArchive ? 'Move out of the archive' : 'Archive',
      key: 'e',
      act: (chosen) =>
        apply(chosen, { archived: !isArchive }, (count) =>
          isArchive ? `${sessionsText(count)} moved out of the archive` : `${sessionsText(count)} archived`,
        ),
    },
    {
      id: 'delete',
      label: 'Delete',
      key: 'Del',
      danger: true,
      act: (chosen) => apply(chosen, { deleted: true }, binnedText),
    },
  ];
}

/**
 * Do an action. The sessions that it needs are loaded first.
 *
 * @param {Action} action
 * @param {Chosen} chosen
 */
export async function run(action, chosen) {
  const { single, needs = single ? 1 : 0 } = action;
  let found;
  try {
    found = await sessionsOf(chosen, needs);
  } catch (error) {
    const again = { label: 'Try again', act: () => run(action, chosen) };
    return showToast(`The selected sessions cannot be loaded: ${messageOf(error)}`, again);
  }
  if (single && found.length !== 1)
    return showToast(found.length ? 'More sessions match by now' : 'The session is not there any more');
  action.act(chosen, found);
}

/**
 * @param {Chosen} chosen
 * @returns {MenuItem[]}
 */
export const menuItems = (chosen) =>
  actionsFor(chosen).map((action) => ({ ...action, act: () => run(action, chosen) }));

/** @param {Session | undefined} session */
export const menuTitle = (session) => (session ? `Actions for ${tagOf(session)}` : 'Actions for the chosen sessions');

/**
 * @param {string} what
 * @param {string | undefined} text
 */
export async function copy(what, text = '') {
  try {
    await navigator.clipboard.writeText(text);
    showToast(`${what} copied`);
  } catch {
    showToast(`${what}: ${text}`); // without permission, or over plain HTTP, it can be copied from here
  }
}
