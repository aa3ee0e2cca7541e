// An empty place that says what to do next.

// Write the words, once: {id, title, text, code, button: [label, act], link: [label, address]} or null for none.
export function say(box, words) {
  box.hidden = words === null;
  const id = words?.id ?? '';
  if (box.dataset.id === id) return;
  box.dataset.id = id;
  const parts = [];
  const add = (tag, text, more = {}) =>
    text && parts.push(Object.assign(document.createElement(tag), { textContent: text, ...more }));
  add('h2', words?.title);
  add('p', words?.text);
  add('pre', words?.code);
  if (words?.button) {
    add('button', words.button[0], { type: 'button', className: 'button' });
    parts.at(-1).addEventListener('click', words.button[1]);
  }
  if (words?.link) add('a', words.link[0], { href: words.link[1], className: 'button primary' });
  box.replaceChildren(...parts);
}
