// Changes to the page that touch it only where something differs.

/** Set an element's text. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Set an element's tooltip. */
export function setTitle(node, title) {
  if (node.title !== title) node.title = title;
}
