// Reloads the page after an upgrade of the server.
const KEY = 'losswise.reloaded';

/** In what a page fetches: the server reloads pages without it (server/middleware/old_pages.py). */
export const PAGE_HEADERS = { 'Losswise-Page': '1' };

/**
 * Reload if the page is not of this version of the static files: at once, or when the tab is hidden if `isBusy()`.
 * At most once for each version in a tab, so that servers of two versions behind one address cause no loop.
 *
 * @param {string | undefined} version
 * @param {() => boolean} isBusy whether a reload would lose something that the user has typed or opened
 */
export function reloadFor(version, isBusy) {
  if (!version || version === document.documentElement.dataset.version || !remember(version)) return;
  if (!isBusy()) return location.reload();
  document.addEventListener('visibilitychange', () => document.hidden && location.reload());
}

/**
 * False if the tab has reloaded for this version before, or if that cannot be remembered.
 *
 * @param {string} version
 */
function remember(version) {
  try {
    const known = JSON.parse(sessionStorage.getItem(KEY) ?? '[]');
    if (known.includes(version)) return false;
    sessionStorage.setItem(KEY, JSON.stringify([...known, version]));
    return true;
  } catch {
    return false;
  }
}
