// Finding, making and changing elements.

/**
 * The element with this id. Throws where there is none or it is of another kind.
 *
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind the element's class, such as HTMLInputElement
 * @returns {T}
 */
export function elementById(id, kind) {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`The page has no ${kind.name} #${id}.`);
  return element;
}

/** @param {string} id */
export const byId = (id) => elementById(id, HTMLElement);

/**
 * The first element that matches a selector. Throws where there is none.
 *
 * @param {ParentNode} root
 * @param {string} selector
 * @returns {HTMLElement}
 */
export function find(root, selector) {
  const element = root.querySelector(selector);
  if (!(element instanceof HTMLElement)) throw new Error(`There is no ${selector}.`);
  return element;
}

/**
 * @param {ParentNode} root
 * @param {string} selector
 * @returns {HTMLElement[]}
 */
export const findAll = (root, selector) => [...root.querySelectorAll(selector)].filter((e) => e instanceof HTMLElement);

/**
 * Make an element with these properties and children.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Partial<HTMLElementTagNameMap[Tag]>} [properties]
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/**
 * The children of an element that only this program fills.
 *
 * @param {Element} element
 */
export const childrenOf = (element) => /** @type {HTMLElement[]} */ ([...element.children]);

/**
 * Set an element's text, without touching the page if it is the same.
 *
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Set an element's tooltip, without touching the page if it is the same.
 *
 * @param {HTMLElement} element
 * @param {string} title
 */
export function setTitle(element, title) {
  if (element.title !== title) element.title = title;
}

/**
 * The value of a CSS custom property, such as '--bad'.
 *
 * @param {string} name
 */
export const cssValue = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/**
 * Put children in order. Only those that are elsewhere are moved, so that focus and hover stay.
 *
 * @param {HTMLElement} parent
 * @param {HTMLElement[]} wanted
 */
export function arrange(parent, wanted) {
  const kept = new Set(/** @type {Element[]} */ (wanted));
  for (const child of childrenOf(parent)) if (!kept.has(child)) child.remove();
  wanted.forEach((child, at) => {
    if (parent.children[at] !== child) parent.insertBefore(child, parent.children[at] ?? null);
  });
}
