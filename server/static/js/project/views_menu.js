// The menu of the saved views, and its dialogs.

import { currentView, isChanged, linkToShown, useView } from '../data/history.js';
import { messageOf } from '../data/http.js';
import { openView, page } from '../data/store.js';
import * as views from '../data/views.js';
import { ask } from '../ui/dialogs.js';
import { make } from '../ui/dom.js';
import { openMenu } from '../ui/popup_menu.js';
import { showToast, UNDO } from '../ui/toast.js';

/** @import { View } from '../data/history.js' */
/** @import { MenuItem } from '../ui/popup_menu.js' */

const MAX_NAME_LENGTH = 200; // of the server

/** @typedef {{mine: string | null, project: string | null}} Defaults ids of views */

/** @param {{x: number, y: number}} at of the window, in pixels */
export async function open(at) {
  try {
    const { views: all, default: defaults } = await views.list();
    openMenu([...choices(all, defaults), ...saving(), ...actions(defaults)], at, 'Views');
  } catch (error) {
    showToast(messageOf(error), { label: 'Try again', act: () => open(at) });
  }
}

/**
 * @param {View[]} all
 * @param {Defaults} defaults
 * @returns {MenuItem[]}
 */
function choices(all, defaults) {
  const current = currentView();
  /** @type {MenuItem[]} */
  const items = [];
  for (const shared of [true, false]) {
    all
      .filter((view) => view.shared === shared)
      .forEach((view, at) => {
        const isDefault = view.id === (defaults.mine ?? defaults.project);
        items.push({
          label: view.name,
          key: isDefault ? 'default' : undefined,
          heading: at === 0 ? (shared ? 'Of the project' : 'My own') : undefined,
          checked: view.id === current?.id,
          act: () => openView(view),
        });
      });
  }
  if (items.length)
    items.push({ label: 'No view', checked: !current, act: () => location.assign('?view=none'), separated: true });
  return items;
}

/** @returns {MenuItem[]} */
function saving() {
  const view = currentView();
  /** @type {MenuItem[]} */
  const items = [];
  if (view && isChanged()) {
    if (view.may_change) items.push({ label: 'Save', act: () => save(view), separated: true });
    items.push({ label: 'Reset to saved', act: () => openView(view), separated: !view.may_change });
  }
  items.push({ label: 'Save as …', act: () => saveAs(view), separated: !items.length });
  return items;
}

/**
 * @param {Defaults} defaults
 * @returns {MenuItem[]}
 */
function actions(defaults) {
  const view = currentView();
  /** @type {MenuItem[]} */
  const items = [{ label: 'Copy link', act: copyLink, separated: true }];
  if (!view) return items;
  items.push(defaultItem('me', view, defaults.mine === view.id));
  if (view.shared && page.mayWrite) items.push(defaultItem('project', view, defaults.project === view.id));
  if (view.may_change)
    items.push(
      { label: 'Rename …', act: () => rename(view), separated: true },
      { label: 'Delete', act: () => deleteView(view), danger: true },
    );
  return items;
}

/**
 * @param {'me' | 'project'} by
 * @param {View} view
 * @param {boolean} isDefault
 * @returns {MenuItem}
 */
function defaultItem(by, view, isDefault) {
  const whose = by === 'me' ? 'my default' : "the project's default";
  const act = () =>
    attempt(async () => {
      await views.makeDefault(by, isDefault ? null : view);
      showToast(isDefault ? `“${view.name}” is no longer ${whose}` : `“${view.name}” is ${whose} now`);
    });
  return { label: isDefault ? `No longer ${whose}` : `Make it ${whose}`, act };
}

/** @param {() => Promise<void>} act */
async function attempt(act) {
  try {
    await act();
  } catch (error) {
    showToast(messageOf(error));
  }
}

/** @param {View} view */
async function save(view) {
  try {
    await views.save(view);
    showToast(`“${view.name}” saved`);
  } catch (error) {
    const theirs = views.changedMeanwhile(error);
    if (!theirs) return showToast(messageOf(error), { label: 'Try again', act: () => save(view) });
    useView(theirs); // what is shown is compared with, and reset to, what is there now
    const text = `It is as they have saved it now. Yours is still shown here: save it over theirs, or cancel, look at theirs with “Reset to saved”, and save yours under another name.`;
    const question = { title: 'Somebody else has changed this view', text, action: 'Save over theirs', danger: true };
    if (await ask(question)) await save(theirs);
  }
}

/** @param {View | null} view that is shown */
async function saveAs(view) {
  const field = nameField('');
  const shared = make('input', { type: 'checkbox', checked: page.mayWrite && (view?.shared ?? false) });
  const label = make('label', { className: 'check' }, shared, 'For everybody who sees the project');
  const content = page.mayWrite ? [field, label] : [field];
  await ask({ title: 'Save this view', action: 'Save', content, focus: field }, () =>
    named(field, async (name) => {
      await views.saveAs(name, shared.checked);
      showToast(`“${name}” saved`);
    }),
  );
}

/** @param {View} view */
async function rename(view) {
  const field = nameField(view.name);
  await ask({ title: 'Rename view', action: 'Rename', content: [field], focus: field }, () =>
    named(field, async (name) => {
      await views.rename(view, name);
      showToast(`Renamed to “${name}”`);
    }),
  );
}

/** @param {string} value */
function nameField(value) {
  const field = make('input', { type: 'text', className: 'field', value, maxLength: MAX_NAME_LENGTH, required: true });
  field.ariaLabel = 'Name';
  return field;
}

/**
 * Do something with the name in a field.
 *
 * @param {HTMLInputElement} field
 * @param {(name: string) => Promise<void>} act
 * @returns {Promise<string | null>} what went wrong
 */
async function named(field, act) {
  const name = field.value.trim();
  if (!name) return 'A view needs a name.';
  try {
    await act(name);
    return null;
  } catch (error) {
    const theirs = views.changedMeanwhile(error);
    if (!theirs) return messageOf(error);
    useView(theirs);
    return `Somebody else has changed this view meanwhile: it is called “${theirs.name}”. Open the menu again.`;
  }
}

/** @param {View} view */
const deleteView = (view) =>
  attempt(async () => {
    await views.deleteView(view);
    showToast(`“${view.name}” deleted`, { label: UNDO, act: () => attempt(() => views.restore(view)) });
  });

const copyLink = () =>
  attempt(async () => {
    const link = await linkToShown();
    try {
      await navigator.clipboard.writeText(link);
      showToast('Link copied');
    } catch {
      showToast(`Link: ${link}`); // without permission, or over plain HTTP, it can be copied from here
    }
  });
