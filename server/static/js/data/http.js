// Requests to the server's API, and what goes wrong with them.
import { PAGE_HEADERS } from '../ui/upgrade.js';

export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {number} status the HTTP status; 0 if there was no response
   * @param {Record<string, any>} [body] the answer's JSON
   */
  constructor(message, status, body = {}) {
    super(message);
    this.status = status;
    this.body = body;
  }
}

/** @param {unknown} error */
export const isAbort = (error) => error instanceof DOMException && error.name === 'AbortError';

/**
 * The HTTP status of an error of a request; 0 if the server did not respond.
 *
 * @param {unknown} error
 */
export const statusOf = (error) => (error instanceof ApiError ? error.status : 0);

/** @param {unknown} error */
export const messageOf = (error) => (error instanceof Error ? error.message : String(error));

/**
 * Whether the server says that there is no such thing, or no longer.
 *
 * @param {unknown} error
 */
export const isMissing = (error) => [404, 410].includes(statusOf(error));

/**
 * Whether the same request may succeed later.
 *
 * @param {unknown} error
 */
export const isPassing = (error) => {
  const status = statusOf(error);
  return status === 0 || status === 408 || status === 429 || status >= 500;
};

/**
 * @param {string} path
 * @param {URLSearchParams | null} query
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export function get(path, query, signal) {
  const text = String(query ?? '');
  return send(text ? `${path}?${text}` : path, { signal });
}

/**
 * Send a change to the server.
 *
 * @param {string} path
 * @param {unknown} body JSON
 * @returns {Promise<any>}
 */
export const post = (path, body) => send(path, { method: 'POST', ...asJson(body) });

/**
 * Replace something on the server.
 *
 * @param {string} path
 * @param {unknown} body JSON
 * @returns {Promise<any>}
 */
export const put = (path, body) => send(path, { method: 'PUT', ...asJson(body) });

/**
 * Change a part of something on the server.
 *
 * @param {string} path
 * @param {unknown} body JSON
 * @returns {Promise<any>}
 */
export const patch = (path, body) => send(path, { method: 'PATCH', ...asJson(body) });

/**
 * Delete something on the server.
 *
 * @param {string} path
 * @returns {Promise<any>}
 */
export const remove = (path) => send(path, { method: 'DELETE' });

/** @param {unknown} body */
const asJson = (body) => ({ headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });

/**
 * Ask for a file.
 *
 * @param {string} path
 * @param {unknown} body JSON
 * @returns {Promise<Response>}
 */
export const postForFile = (path, body) => request(path, { method: 'POST', ...asJson(body) });

/**
 * @param {string} address
 * @param {RequestInit} options
 * @returns {Promise<any>}
 */
async function send(address, options) {
  const response = await request(address, options);
  const body = await response.json().catch(() => null);
  if (body === null) throw new ApiError(`The server responded with status ${response.status}.`, response.status, {});
  return body;
}

/**
 * A response that is no error.
 *
 * @param {string} address
 * @param {RequestInit} options
 * @returns {Promise<Response>}
 */
async function request(address, options) {
  let response;
  try {
    response = await fetch(address, {
      ...options,
      headers: { ...PAGE_HEADERS, Accept: 'application/json', ...options.headers },
    });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ApiError('The server does not respond.', 0);
  }
  if (response.status === 401) {
    const { signInAgain } = await import('../ui/sign_in.js');
    // what changes something is asked for by a person
    if (await signInAgain((options.method ?? 'GET') !== 'GET')) return request(address, options);
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  throw new ApiError(body.error ?? `The server responded with status ${response.status}.`, response.status, body);
}

/**
 * @param {string} project
 * @param {Record<string, string | number | undefined>} asked what is empty is left out
 */
export function queryOf(project, asked) {
  const query = new URLSearchParams({ project_id: project });
  for (const [name, value] of Object.entries(asked)) if (value) query.set(name, String(value));
  return query;
}
