// Saved views: what the page shows, under a name, for oneself or for the project.
import { listViews } from './api.js';
import { currentAddress, currentView, setDefaultView, useView } from './history.js';
import { ApiError, patch, post, put, remove } from './http.js';
import { page } from './store.js';

/** @import { View } from './history.js' */

const PATH = '/api/v2/views';

/** @param {View} view */
const pathOf = (view) => `${PATH}/${encodeURIComponent(view.id)}`;

const ownProject = () => ({ project_id: Number(page.project) });

/** @param {string} full */
const searchOf = (full) => full || '?x=step';

/** The views that this person sees, and the ids of those that the page opens with. */
export const list = () => listViews(page.project);

/**
 * Save what is shown as a new view, which is then the one that is shown.
 *
 * @param {string} name
 * @param {boolean} shared whether it is the project's
 */
export async function saveAs(name, shared) {
  useView(await post(PATH, { ...ownProject(), name, shared, search: searchOf(currentAddress()) }));
}

/**
 * Save what is shown under the name of the view that it was made from.
 *
 * @param {View} view as it is known here
 */
export async function save(view) {
  const { version } = view;
  useView(await patch(pathOf(view), { version, search: searchOf(currentAddress()) }));
}

/**
 * @param {View} view
 * @param {string} name
 */
export async function rename(view, name) {
  useView(await patch(pathOf(view), { version: view.version, name }));
}

/**
 * Delete a view. What is shown stays.
 *
 * @param {View} view
 */
export async function deleteView(view) {
  await remove(pathOf(view));
  if (currentView()?.id === view.id) useView(null);
}

/**
 * Undo the deletion of a view.
 *
 * @param {View} view
 */
export async function restore(view) {
  const restored = await post(`${pathOf(view)}/restore`, {});
  if (!currentView()) useView(restored);
}

/**
 * Let the page open with a view where its address says nothing.
 *
 * @param {'me' | 'project'} by for whom
 * @param {View | null} view null for none
 */
export async function makeDefault(by, view) {
  const answer = await put(`${PATH}/default`, { ...ownProject(), by, view: view?.id ?? null });
  setDefaultView(answer.default.mine ?? answer.default.project);
}

/**
 * The view as somebody else has changed it meanwhile, or null if the error is another one.
 *
 * @param {unknown} error
 * @returns {View | null}
 */
export const changedMeanwhile = (error) =>
  error instanceof ApiError && error.body.code === 'view_changed' ? error.body.view : null;
