// Sets the theme before anything is painted, so that a dark page never flashes white. A classic script for this reason.
(() => {
  /** @type {string | null} */
  let chosen = null;
  try {
    chosen = localStorage.getItem('losswise.theme');
  } catch {
    // storage is switched off
  }
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const apply = () => {
    document.documentElement.dataset.theme = chosen || (dark.matches ? 'dark' : 'light');
  };
  dark.addEventListener('change', () => {
    apply();
    dispatchEvent(new Event('losswise:theme'));
  });
  addEventListener('losswise:toggle-theme', () => {
    chosen = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark';
    try {
      localStorage.setItem('losswise.theme', chosen);
    } catch {
      // kept while the page is open
    }
    apply();
    dispatchEvent(new Event('losswise:theme'));
  });
  apply();
})();
