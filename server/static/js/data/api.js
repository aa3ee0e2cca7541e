// The server's read API. Every function gives what the server answered, or throws.
export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

async function get(path, query, signal) {
  const text = String(query ?? '');
  let response;
  try {
    response = await fetch(text ? `${path}?${text}` : path, {
      signal,
      headers: { Accept: 'application/json' },
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError('The server does not answer.', 0);
  }
  if (response.status === 401) {
    location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  }
  const body = await response.json().catch(() => null);
  if (!response.ok || body === null)
    throw new ApiError(body?.error ?? `The server answered ${response.status}.`, response.status);
  return body;
}

/** A page of the project's sessions. */
export function listSessions(project, { q, status, sort, cursor, limit, best } = {}, signal) {
  const query = new URLSearchParams({ project_id: project });
  for (const [name, value] of Object.entries({ q, status, sort, cursor, limit }))
    if (value) query.set(name, value);
  for (const name of best ?? []) query.append('best', name);
  return get('/api/v2/sessions', query, signal);
}

export const getSession = (id, signal) => get(`/api/v2/sessions/${encodeURIComponent(id)}`, null, signal);

/** What charts of `width` pixels need of these graphs, in a window of steps or whole. */
export function getSeries(graphs, { x0, x1, width }, signal) {
  const query = new URLSearchParams();
  for (const graph of graphs) query.append('graph', graph);
  if (x0 != null) query.set('x0', Math.floor(x0));
  if (x1 != null) query.set('x1', Math.ceil(x1));
  query.set('width', Math.max(50, Math.round(width)));
  return get('/api/v2/series', query, signal);
}
