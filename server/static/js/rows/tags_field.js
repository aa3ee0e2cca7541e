// The field for the tags of one or many sessions: chips, those that only some have are pale.
import { childrenOf, make } from '../ui/dom.js';
import { tagColor } from './tag_chips.js';

/** @import { Session } from '../data/session.js' */
/** @import { Edit } from '../data/edits.js' */

export class TagsField {
  /**
   * @param {Session[]} known
   * @param {number} count of all of them, also those that are not loaded
   */
  constructor(known, count) {
    const counts = new Map();
    for (const { tags } of known) for (const tag of tags) counts.set(tag, (counts.get(tag) ?? 0) + 1);
    /** @type {Map<string, 'all' | 'some'>} as they are stored */
    this.before = new Map([...counts].map(([tag, times]) => [tag, times === count ? 'all' : 'some']));
    /** @type {Map<string, 'all' | 'some'>} as they will be */
    this.after = new Map(this.before);
    this.chips = make('div', { className: 'tag-chips', role: 'list' });
    this.input = make('input', { type: 'text', className: 'field', placeholder: 'Add a tag', maxLength: 500 });
    this.input.ariaLabel = 'Add a tag';
    this.input.addEventListener('keydown', (event) => this.pressed(event));
    const hint = 'Enter or a comma adds a tag.';
    this.box = make('div', { className: 'tags-field' }, this.chips, this.input, make('p', { className: 'hint' }, hint));
    this.draw();
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    if (event.key === 'Backspace' && !this.input.value) {
      const last = [...this.after.keys()].at(-1);
      if (last !== undefined) this.remove(last);
    } else if ((event.key === 'Enter' || event.key === ',') && this.input.value.trim()) {
      event.preventDefault();
      this.take();
    }
  }

  /** Add what is typed. */
  take() {
    for (const tag of this.input.value.split(',').map((text) => text.trim())) if (tag) this.after.set(tag, 'all');
    this.input.value = '';
    this.draw();
  }

  /** @param {string} tag */
  remove(tag) {
    this.after.delete(tag);
    this.draw();
  }

  /** @returns {Pick<Edit, 'add_tags' | 'remove_tags'>} what is to be changed */
  change() {
    this.take();
    return {
      add_tags: [...this.after]
        .filter(([tag, has]) => has === 'all' && this.before.get(tag) !== 'all')
        .map(([tag]) => tag),
      remove_tags: [...this.before.keys()].filter((tag) => !this.after.has(tag)),
    };
  }

  draw() {
    const focusedAt = childrenOf(this.chips).findIndex((chip) => chip.contains(document.activeElement));
    this.chips.replaceChildren(...[...this.after].map(([tag, has]) => this.chip(tag, has)));
    this.chips.hidden = this.after.size === 0;
    if (focusedAt >= 0) this.input.focus();
  }

  /**
   * @param {string} tag
   * @param {'all' | 'some'} has
   */
  chip(tag, has) {
    const remove = make('button', { type: 'button', ariaLabel: `Remove ${tag}`, onclick: () => this.remove(tag) }, '×');
    const chip = make('span', { className: 'tag-chip', role: 'listitem' }, make('span', {}, tag), remove);
    chip.style.setProperty('--tag', tagColor(tag));
    if (has === 'some') {
      chip.classList.add('some');
      chip.title = 'Some of these sessions have it. Add it again to give it to all';
    }
    return chip;
  }
}
