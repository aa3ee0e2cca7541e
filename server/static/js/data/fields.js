// What the project's sessions can be asked for, from the server: fields, and the values that they have.
import { listFields, listValues } from './api.js';
import { page } from './store.js';

/**
 * @typedef {object} ProjectField
 * @property {string} field as a query has it
 * @property {'columns' | 'params' | 'values' | 'statistics'} group
 * @property {string} name of the column, param, value or metric
 * @property {'number' | 'text' | 'boolean' | 'mixed' | 'list' | 'time' | 'duration'} kind
 * @property {number} sessions how many have it
 * @property {string | null} sort the server's name for its order
 */

/** @typedef {{value: string | number | boolean, count: number}} FieldValue */

const FRESH_MS = 15_000;
const MAX_VALUES = 100;

/** @type {{at: number, fields: Promise<ProjectField[]>} | null} */
let known = null;
/** @type {Map<string, {at: number, answer: Promise<{values: FieldValue[], more: boolean}>}>} */
const values = new Map();

/** The fields of the project, asked for again after some seconds. */
export function projectFields() {
  if (!known || Date.now() - known.at > FRESH_MS) {
    const fields = listFields(page.project).then((answer) => answer.fields);
    known = { at: Date.now(), fields };
    fields.catch(() => {
      known = null;
    });
  }
  return known.fields;
}

/** Columns that change all the time, or are as good as all different. */
const UNGROUPED = ['elapsed', 'progress', 'id', 'note', 'updated', 'ended', 'points'];

/**
 * Whether the table can be grouped by a field.
 *
 * @param {ProjectField} field
 */
export const canGroupBy = ({ group, name }) =>
  group !== 'statistics' && !(group === 'columns' && UNGROUPED.includes(name));

/**
 * The field that a column of the table shows; undefined if the project has none of this name.
 *
 * @param {ProjectField['group']} group
 * @param {string} name
 */
export const fieldNamed = async (group, name) =>
  (await projectFields()).find((field) => field.group === group && field.name === name);

/**
 * Values of a field that begin with `prefix`. A field with few of them is asked for once, whatever the prefix.
 *
 * @param {string} field
 * @param {string} prefix
 * @returns {Promise<FieldValue[]>}
 */
export async function valuesOf(field, prefix) {
  const all = await remembered(field, '');
  return (all.more && prefix ? await remembered(field, prefix) : all).values;
}

/**
 * @param {string} field
 * @param {string} prefix
 */
function remembered(field, prefix) {
  const key = JSON.stringify([field, prefix]);
  const last = values.get(key);
  if (last && Date.now() - last.at < FRESH_MS) return last.answer;
  if (values.size > 200) values.clear();
  const answer = listValues(page.project, { field, prefix, limit: MAX_VALUES });
  values.set(key, { at: Date.now(), answer });
  answer.catch(() => values.delete(key));
  return answer;
}
