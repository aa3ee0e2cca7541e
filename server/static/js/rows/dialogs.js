// The dialogs of the actions on sessions: name, tags, note, project, sessions alike, deleting for good.
import { getProjects, getSession } from '../data/api.js';
import { edit, isNoteConflict, otherNumber, purge } from '../data/edits.js';
import { messageOf } from '../data/http.js';
import { tagOf } from '../data/session.js';
import { page, setQuery } from '../data/store.js';
import { ask } from '../ui/dialogs.js';
import { make } from '../ui/dom.js';
import { anything, whole } from '../ui/format.js';
import { showToast } from '../ui/toast.js';
import { alikeQuery, scalarParams } from './alike.js';
import { report, sessionsText, skippedText } from './apply.js';
import { TagsField } from './tags_field.js';

/** @import { Session } from '../data/session.js' */
/** @import { Chosen, Edit } from '../data/edits.js' */

const MAX_NAME_LENGTH = 500; // of the server, as the next
const MAX_NOTE_LENGTH = 10_000;

/**
 * Send an edit from within a dialog.
 *
 * @param {Chosen} chosen
 * @param {Edit} change
 * @param {(count: number) => string} done
 * @returns {Promise<string | null>} what went wrong
 */
async function send(chosen, change, done) {
  try {
    report(await edit(chosen, change), done);
    return null;
  } catch (error) {
    if (isNoteConflict(error)) throw error;
    return messageOf(error);
  }
}

/** @param {Session} session */
export async function rename(session) {
  const field = make('input', { type: 'text', className: 'field', value: tagOf(session), maxLength: MAX_NAME_LENGTH });
  field.ariaLabel = 'Name';
  const own = session.own_tag;
  /** @type {Node[]} */
  const content = [field];
  if (own != null)
    content.push(make('p', { className: 'hint' }, `Its script calls it “${own}”. Leave the field empty for that.`));
  await ask({ title: 'Rename session', action: 'Rename', content, focus: field }, () => {
    const tag = field.value.trim() || null;
    return send({ ids: [session.id] }, { tag }, () => `Renamed to ${tag ?? 'the name that its script gave'}`);
  });
}

/**
 * @param {Chosen} chosen
 * @param {Session[]} known those of them that are loaded
 * @param {number} count
 */
export async function editTags(chosen, known, count) {
  const field = new TagsField(known, count);
  const title = count === 1 && known.length ? `Tags of ${tagOf(known[0])}` : `Tags of ${sessionsText(count)}`;
  await ask({ title, action: 'Save', content: [field.box], focus: field.input }, async () => {
    const change = field.change();
    if (!change.add_tags?.length && !change.remove_tags?.length) return null;
    return send(chosen, change, (changed) => `Tags of ${sessionsText(changed)} changed`);
  });
}

/**
 * Edit a note. If somebody else has changed it meanwhile, both texts are shown and nothing is lost.
 *
 * @param {Session} row
 */
export async function editNote(row) {
  let session;
  try {
    session = await getSession(row.id); // the row holds the beginning only
  } catch (error) {
    return showToast(messageOf(error), { label: 'Try again', act: () => editNote(row) });
  }
  let version = session.note_version;
  const field = make('textarea', { className: 'field', value: session.note, rows: 8, maxLength: MAX_NOTE_LENGTH });
  field.ariaLabel = 'Note';
  const theirs = make('div', { className: 'theirs', hidden: true });
  field.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) field.form?.requestSubmit();
  });
  const question = { title: `Note on ${tagOf(session)}`, action: 'Save', content: [field, theirs], focus: field };
  await ask(question, async () => {
    try {
      return await send({ ids: [session.id] }, { note: field.value, note_version: version }, () => 'Note saved');
    } catch (error) {
      const { note, note_version } = /** @type {import('../data/http.js').ApiError} */ (error).body;
      version = note_version;
      theirs.hidden = false;
      theirs.replaceChildren(make('h3', {}, 'The note as it is now'), make('pre', { tabIndex: 0 }, note || '(empty)'));
      return 'Somebody else has changed this note meanwhile. Put both together, then save again.';
    }
  });
}

/**
 * @param {Chosen} chosen
 * @param {number} count
 */
export async function moveToProject(chosen, count) {
  let projects;
  try {
    const all = await getProjects();
    const here = all.find(({ id }) => String(id) === page.project);
    projects = all.filter(({ id, organization, may_write }) => {
      return may_write && organization === here?.organization && String(id) !== page.project;
    });
  } catch (error) {
    return showToast(messageOf(error));
  }
  if (!projects.length)
    return showToast('There is no other project. A script makes one with losswise.Session(project="...").');
  const field = make(
    'select',
    { className: 'field' },
    ...projects.map(({ id, name }) => make('option', { value: String(id) }, name)),
  );
  field.ariaLabel = 'Project';
  const text = 'A script that is still running goes on recording there.';
  await ask({ title: `Move ${sessionsText(count)}`, text, action: 'Move', content: [field], focus: field }, () => {
    const name = field.selectedOptions[0].text;
    return send(chosen, { project_id: Number(field.value) }, (moved) => `${sessionsText(moved)} moved to ${name}`);
  });
}

/**
 * Ask which param may differ, and show the sessions whose other params are the same.
 *
 * @param {Session} session
 */
export async function showAlike(session) {
  const params = scalarParams(session.params);
  if (!params.length) return showToast(`${tagOf(session)} has no params to compare`);
  const field = make(
    'select',
    { className: 'field' },
    make('option', { value: '' }, 'all are the same'),
    ...params.map(([path, value]) => make('option', { value: path }, `${path} (here ${anything(value)})`)),
  );
  field.ariaLabel = 'The param that may differ';
  const text = 'All other numbers, texts, true and false are as in this session.';
  const question = { title: `Sessions like ${tagOf(session)}`, text, action: 'Show', content: [field], focus: field };
  if (!(await ask(question))) return;
  const { q, left } = alikeQuery(params, field.value);
  setQuery({ q, status: '' });
  if (left) showToast(`The query has no room for ${left === 1 ? 'one of the params' : `${left} of the params`}`);
}

/**
 * Ask whether to delete the sessions for good. If they are not as many as the question says, it is asked again.
 *
 * @param {Chosen} chosen
 * @param {number} count
 * @param {string} [news] why it is asked again
 */
export async function deleteForGood(chosen, count, news = '') {
  const text = `${news}Their points, texts and images are deleted. This cannot be undone.`;
  /** @type {number | null} */
  let now = null;
  await ask(
    { title: `Delete ${sessionsText(count)} for good?`, text, action: 'Delete for good', danger: true },
    async () => {
      try {
        const { deleted, skipped } = await purge(chosen, count);
        showToast([`${sessionsText(deleted)} deleted for good`, ...skipped.map(skippedText)].join('. '));
        return null;
      } catch (error) {
        now = otherNumber(error);
        return now === null ? messageOf(error) : null;
      }
    },
  );
  if (now === 0) showToast('These sessions are not in the bin any more');
  else if (now !== null) await deleteForGood(chosen, now, `There were ${whole(count)}: other sessions match by now. `);
}
