// What can be done to sessions: the same list for the row's menu, the bar of the chosen sessions and the keys.

import { joined } from '../data/group_query.js';
import { currentFilter, list } from '../data/list_state.js';
import { detailsOf, tagOf } from '../data/session.js';
import { isChosen, page, sessions, state } from '../data/store.js';
import { showToast } from '../ui/toast.js';
import { apply, sessionsText } from './apply.js';
import { deleteForGood, editNote, editTags, moveToProject, rename, showAlike } from './dialogs.js';
import { compare, download } from './take_out.js';

/** @import { Session } from '../data/session.js' */
/** @import { Chosen } from '../data/edits.js' */
/** @import { MenuItem } from '../ui/popup_menu.js' */

/**
 * @typedef {object} Action
 * @property {string} id
 * @property {string} label
 * @property {string} [key]
 * @property {boolean} [single] whether it is for one session only
 * @property {boolean} [reads] whether it changes nothing, so that everybody may do it
 * @property {boolean} [danger]
 * @property {boolean} [separated] whether a line is above it in a menu
 * @property {(chosen: Chosen, session: Session | undefined) => void} act
 */

/**
 * The sessions that an action on a row is for: all that are chosen if this one is among them, else this one.
 *
 * @param {string} id
 * @returns {Chosen}
 */
export function chosenWith(id) {
  if (state.allMatching) return isChosen(id) ? chosen() : { ids: [id] };
  return !state.automatic && state.selected.includes(id) ? chosen() : { ids: [id] };
}

/**
 * The sessions that the person has chosen.
 *
 * @returns {Chosen}
 */
export const chosen = () =>
  state.allMatching
    ? { matching: chosenFilter(), except: state.excepted }
    : { ids: state.automatic ? [] : state.selected };

const chosenFilter = () => {
  const filter = currentFilter();
  return state.within ? { ...filter, q: joined(filter.q, state.within.q) } : filter;
};

/** @param {Chosen} chosen */
export const countOf = (chosen) =>
  'ids' in chosen ? chosen.ids.length : (state.within?.count ?? list.total) - chosen.except.length;

/** @param {Chosen} chosen */
const known = (chosen) => {
  const isLeftOut = (/** @type {string} */ id) =>
    'except' in chosen && (chosen.except.includes(id) || list.unmatched.has(id));
  const loaded = state.within ? [...sessions.keys()].filter(isChosen) : list.ids;
  const ids = 'ids' in chosen ? chosen.ids : loaded.filter((id) => !isLeftOut(id));
  return ids.map((id) => sessions.get(id)).filter((session) => session !== undefined);
};

/**
 * The actions for these sessions, in the order of a menu.
 *
 * @param {Chosen} chosen
 * @returns {Action[]}
 */
export function actionsFor(chosen) {
  const among = known(chosen);
  const areStarred = among.length > 0 && among.every(({ starred }) => starred);
  const isSingle = countOf(chosen) === 1;
  const all = [
    ...OPEN,
    ...EDIT,
    star(areStarred),
    ...COPY,
    ...takeOutActions(among, countOf(chosen)),
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
    act: (_, session) => session && location.assign(detailsOf(session.id)),
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
    act: (_, session) => session && rename(session),
  },
  { id: 'tags', label: 'Tags …', key: 'l', act: (chosen) => editTags(chosen, known(chosen), countOf(chosen)) },
  { id: 'note', label: 'Note …', key: 'n', single: true, act: (_, session) => session && editNote(session) },
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
    act: (_, session) => copy('Id', session?.id),
  },
  {
    id: 'copy-link',
    reads: true,
    label: 'Copy link',
    single: true,
    act: (_, session) => session && copy('Link', new URL(`/s/${session.id}`, location.href).href),
  },
  {
    id: 'copy-params',
    reads: true,
    label: 'Copy params as JSON',
    single: true,
    act: (_, session) => copy('Params', JSON.stringify(session?.params ?? {}, null, 2)),
  },
  {
    id: 'alike',
    reads: true,
    label: 'Sessions like this …',
    single: true,
    act: (_, session) => session && showAlike(session),
  },
];

/**
 * @param {Session[]} among
 * @param {number} count
 * @returns {Action[]}
 */
const takeOutActions = (among, count) => [
  ...(count > 1
    ? [{ id: 'compare', reads: true, label: 'Compare', separated: true, act: () => compare(among, count) }]
    : []),
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
      act: (chosen) => apply(chosen, { deleted: true }, (count) => `${sessionsText(count)} moved to the bin`),
    },
  ];
}

/**
 * @param {Action} action
 * @param {Chosen} chosen
 */
export const run = (action, chosen) => action.act(chosen, 'ids' in chosen ? sessions.get(chosen.ids[0]) : undefined);

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
