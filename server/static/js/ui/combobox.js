// A text field with a list of suggestions below it, as the ARIA pattern "combobox" describes: arrow keys move through the
// list while the focus stays in the field, Enter and Tab accept the highlighted one, Escape closes the list.
import { make } from './dom.js';

/**
 * @typedef {object} Option
 * @property {string} label
 * @property {string} [detail]
 */

/**
 * @template {Option} T
 * @typedef {object} ComboboxOptions
 * @property {string} label of the list, for screen readers
 * @property {() => T[] | Promise<T[]>} options for what the field holds
 * @property {(option: T) => void} accept
 * @property {() => string} [marked] the part of labels to emphasise: what has been typed
 */

let count = 0;

/** @template {Option} T */
export class Combobox {
  /**
   * @param {HTMLInputElement} input in an element that positions the list
   * @param {ComboboxOptions<T>} options
   */
  constructor(input, { label, options, accept, marked = () => '' }) {
    this.input = input;
    this.load = options;
    this.accept = accept;
    this.marked = marked;
    /** @type {T[]} */
    this.shown = [];
    this.active = -1;
    this.asked = 0;
    count += 1;
    this.list = make('ul', { id: `options-${count}`, className: 'options', role: 'listbox', hidden: true });
    this.list.ariaLabel = label;
    input.after(this.list);
    input.role = 'combobox';
    input.ariaAutoComplete = 'list';
    input.ariaExpanded = 'false';
    input.setAttribute('aria-controls', this.list.id);
    input.addEventListener('input', () => this.update());
    input.addEventListener('click', () => this.update());
    input.addEventListener('keydown', (event) => this.pressed(event));
    input.addEventListener('blur', () => this.close());
    this.list.addEventListener('pointerdown', (event) => event.preventDefault()); // the focus stays in the field
    this.list.addEventListener('click', (event) => {
      const option = /** @type {Element} */ (event.target).closest('[role=option]');
      if (option) this.choose([...this.list.children].indexOf(option));
    });
  }

  get isOpen() {
    return !this.list.hidden;
  }

  /** Show what suits the field's text. An answer that comes after the next question is dropped. */
  async update() {
    this.asked += 1;
    const asked = this.asked;
    const found = await Promise.resolve(this.load()).catch(() => []);
    if (asked !== this.asked || document.activeElement !== this.input) return;
    this.show(found);
  }

  /** @param {T[]} found */
  show(found) {
    this.shown = found;
    this.list.replaceChildren(...found.map((option, at) => this.draw(option, at)));
    this.list.hidden = found.length === 0;
    this.input.ariaExpanded = String(this.isOpen);
    this.list.scrollTop = 0;
    this.highlight(-1);
  }

  /**
   * @param {T} option
   * @param {number} at
   */
  draw({ label, detail }, at) {
    const marked = this.marked();
    const start = marked ? label.toLowerCase().indexOf(marked.toLowerCase()) : -1;
    const parts =
      start < 0
        ? [label]
        : [
            label.slice(0, start),
            make('b', {}, label.slice(start, start + marked.length)),
            label.slice(start + marked.length),
          ];
    const text = make('span', { className: 'label', title: label.length > 30 ? label : '' }, ...parts);
    const item = make('li', { id: `${this.list.id}-${at}`, role: 'option' }, text);
    if (detail) item.append(make('span', { className: 'detail' }, detail));
    item.ariaSelected = 'false';
    return item;
  }

  close() {
    this.asked += 1;
    this.show([]);
  }

  /** @param {number} at -1 for none */
  highlight(at) {
    this.active = at;
    for (const [index, item] of [...this.list.children].entries()) item.ariaSelected = String(index === at);
    const item = this.list.children[at];
    if (item) {
      this.input.setAttribute('aria-activedescendant', item.id);
      item.scrollIntoView({ block: 'nearest' });
    } else {
      this.input.removeAttribute('aria-activedescendant');
    }
  }

  /** @param {number} at */
  choose(at) {
    const option = this.shown[at];
    this.close();
    this.accept(option);
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    const { key } = event;
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (key === 'ArrowDown' || key === 'ArrowUp') {
      event.preventDefault();
      if (!this.isOpen) this.update();
      else this.move(key === 'ArrowDown' ? 1 : -1);
    } else if (key === 'Escape' && this.isOpen) {
      event.preventDefault();
      event.stopPropagation();
      this.close();
    } else if ((key === 'Enter' || (key === 'Tab' && !event.shiftKey)) && this.active >= 0) {
      event.preventDefault();
      this.choose(this.active);
    } else if (key === 'Enter') {
      this.close();
    }
  }

  /**
   * Highlight the next option. Beyond the last one, and before the first, none is.
   *
   * @param {1 | -1} by
   */
  move(by) {
    const places = this.shown.length + 1;
    this.highlight(((this.active + 1 + by + places) % places) - 1);
  }
}
