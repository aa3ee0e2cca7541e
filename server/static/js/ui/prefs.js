// What a person chose, kept in this browser. Works for the page's life where storage is switched off.
const memory = new Map();

export function readPref(name, otherwise) {
  try {
    const text = localStorage.getItem(`losswise.${name}`);
    return text === null ? (memory.get(name) ?? otherwise) : JSON.parse(text);
  } catch {
    return memory.get(name) ?? otherwise;
  }
}

export function writePref(name, value) {
  memory.set(name, value);
  try {
    localStorage.setItem(`losswise.${name}`, JSON.stringify(value));
  } catch {
    /* memory has it */
  }
}
