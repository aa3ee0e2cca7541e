// The quickstart page: tabs, copy buttons, colours for the code.
let tabs = [];

function open(tab, { focus = false } = {}) {
  for (const other of tabs) {
    const chosen = other === tab;
    other.ariaSelected = String(chosen);
    other.tabIndex = chosen ? 0 : -1;
    document.getElementById(other.getAttribute('aria-controls')).hidden = !chosen;
  }
  if (focus) tab.focus();
  history.replaceState(null, '', `#${tab.id.replace('tab-', '')}`);
}

// Strings, comments and keywords. The text stays what it was: only spans are put around pieces of it.
const TOKENS =
  /(#[^\n]*)|("(?:\\.|[^"\\\n])*")|\b(import|from|as|with|for|in|if|def|class|return|not|and|or|None|True|False)\b/g;

export function start() {
  tabs = [...document.querySelectorAll('[role="tab"]')];
  tabs.forEach((tab, at) => {
    tab.addEventListener('click', () => open(tab));
    tab.addEventListener('keydown', (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (by) open(tabs[(at + by + tabs.length) % tabs.length], { focus: true });
    });
  });
  const named = location.hash && document.getElementById(`tab-${location.hash.slice(1)}`);
  if (named) open(named);

  for (const button of document.querySelectorAll('[data-copy]')) {
    button.addEventListener('click', async () => {
      const code = document.getElementById(button.dataset.copy);
      let copied = true;
      try {
        await navigator.clipboard.writeText(code.textContent);
      } catch {
        // no clipboard without https or a loopback address: select the text, so that a key press copies it
        copied = false;
        getSelection().selectAllChildren(code);
      }
      button.textContent = copied ? 'Copied' : 'Selected: press Ctrl C';
      setTimeout(() => {
        button.textContent = 'Copy';
      }, 2000);
    });
  }

  for (const code of document.querySelectorAll('code.python')) {
    const text = code.textContent;
    const parts = [];
    let end = 0;
    for (const match of text.matchAll(TOKENS)) {
      parts.push(text.slice(end, match.index));
      const span = document.createElement('span');
      span.className = match[1] ? 'comment' : match[2] ? 'string' : 'word';
      span.textContent = match[0];
      parts.push(span);
      end = match.index + match[0].length;
    }
    code.replaceChildren(...parts, text.slice(end));
  }
}

start();
