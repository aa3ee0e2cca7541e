// What people change of a project in the list: only what has changed is sent, and only if nobody else has changed it.
import { ApiError, patch } from '../data/http.js';

/**
 * What is edited of a project.
 *
 * @typedef {object} Edited
 * @property {string} description
 * @property {string | null} best a statistic; null for the usual one
 */

/**
 * What differs of two states.
 *
 * @param {Edited} before
 * @param {Edited} after
 * @returns {Partial<Edited>} as it is in `after`
 */
export const difference = (before, after) => ({
  ...(after.description !== before.description && { description: after.description }),
  ...(after.best !== before.best && { best: after.best }),
});

/**
 * Save what differs.
 *
 * @param {string} project id
 * @param {Edited} before as the user has seen it
 * @param {Edited} after
 * @returns {Promise<Edited>} what the server has of it then
 */
export async function save(project, before, after) {
  const changed = difference(before, after);
  const known = difference(after, before);
  const { description, best } = await patch(`/api/v2/projects/${project}`, { ...changed, before: known });
  return { description, best: best?.chosen ? best.statistic : null };
}

/**
 * Take back what was saved, each part that is still so.
 *
 * @param {string} project id
 * @param {Edited} before
 * @param {Edited} saved
 * @returns {Promise<boolean>} whether everything was taken back; otherwise somebody has changed it since
 */
export async function takeBack(project, before, saved) {
  let isWhole = true;
  for (const name of Object.keys(difference(before, saved))) {
    const [from, to] = name === 'best' ? [saved.best, before.best] : [saved.description, before.description];
    try {
      await patch(`/api/v2/projects/${project}`, { [name]: to, before: { [name]: from } });
    } catch (error) {
      if (!changedMeanwhile(error)) throw error;
      isWhole = false;
    }
  }
  return isWhole;
}

/**
 * The project as somebody else has changed it meanwhile, or null if the error is another one.
 *
 * @param {unknown} error
 * @returns {Edited | null}
 */
export const changedMeanwhile = (error) =>
  error instanceof ApiError && error.body.code === 'project_changed' ? error.body.project : null;
