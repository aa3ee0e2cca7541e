// Reloads the page when the server has been upgraded.
const KEY = 'losswise.reloaded';

/**
 * Reload if the page is not of this version: at once, or when the tab is hidden if `isBusy()`. At most once for each
 * version in a tab, so that servers of two versions behind one address cause no loop.
 */
export function reloadFor(version, isBusy = () => false) {
  if (!version || version === document.documentElement.dataset.version || !remember(version)) return;
  if (!isBusy()) return location.reload();
  document.addEventListener('visibilitychange', () => document.hidden && location.reload());
}

// False if the tab has already reloaded for this version, or where that cannot be remembered.
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
