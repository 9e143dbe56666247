// What the browser keeps between visits: who we are, our rooms, what was read, private messages that we sent.

/** Storage that also works where the browser refuses it (private modes): then it lasts as long as the page. */
export class Saved {
  #storage;
  #memory = new Map();

  constructor(storage) {
    this.#storage = storage;
  }

  /** The value under a name, or `otherwise`. */
  load(name, otherwise) {
    try {
      const text = this.#storage.getItem("wireroom." + name);
      return text === null ? otherwise : JSON.parse(text);
    } catch {
      return this.#memory.get(name) ?? otherwise;
    }
  }

  /** Keeps a value; undefined forgets it. */
  save(name, value) {
    this.#memory.set(name, value);
    try {
      if (value === undefined) this.#storage.removeItem("wireroom." + name);
      else this.#storage.setItem("wireroom." + name, JSON.stringify(value));
    } catch {
      // full or forbidden: the copy in memory has to do
    }
  }
}

/** Storage of this browser: the first outlives the tab, the second does not. */
export function browserStorage() {
  return { lasting: new Saved(reach("localStorage")), tab: new Saved(reach("sessionStorage")) };
}

function reach(name) {
  try {
    return window[name];
  } catch {
    return null; // every use of it throws, and Saved falls back to memory
  }
}
