// The first rows of the table as the server has written them into the page.

/** @import { SessionPage } from './api.js' */

let isTaken = false;

/**
 * What the server has answered to the first question for rows, if it was this one; null afterwards.
 *
 * @param {{q: string, status: string, sort: string, in: string, utc_offset: number}} asked
 * @returns {SessionPage | null}
 */
export function firstPage({ q, status, sort, in: place, utc_offset: offset }) {
  const element = document.getElementById('first-page');
  if (isTaken || !element) return null;
  isTaken = true;
  const { asked, page } = JSON.parse(element.textContent ?? '');
  element.remove();
  if (q && offset) return null; // the server did not know where the days of dates begin
  const isSame =
    asked.q === q && asked.status === status && asked.in === place && (asked.sort || '-created_at') === sort;
  return isSame ? page : null;
}
