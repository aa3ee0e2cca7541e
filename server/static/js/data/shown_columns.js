// The keys of the table's columns, for what takes the table elsewhere.

/** @type {string[]} */
let keys = [];

/** @param {string[]} shown in their order */
export function setShownColumns(shown) {
  keys = shown;
}

export const shownColumns = () => keys;
