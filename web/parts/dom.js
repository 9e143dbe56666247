// Builds elements. Text only ever becomes text: nothing on this page parses foreign strings as markup.

const SVG = "http://www.w3.org/2000/svg";

/** The element with that id. */
export const byID = (id) => document.getElementById(id);

/**
 * An element with properties (`class`, `on...` handlers, attributes; undefined and false are left out) and children
 * (nodes, or strings that become text).
 */
export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== undefined && child !== false));
  return node;
}

/** A name as people choose it; "" where nothing of it can be seen. */
export const seen = (name) => (/[^\s\p{Cc}\p{Cf}\u115f\u1160\u2800\u3164\uffa0]/u.test(name ?? "") ? name : "");

/** An icon from the sheet in index.html; it says nothing to a screen reader. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", "#icon-" + name);
  svg.append(use);
  return svg;
}

/** Sets text only where it differs, so that a screen reader hears changes and nothing else. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Keeps a list of children in step with data, reusing what has not changed: focus and scrolling survive. */
export class List {
  #parent;
  #slots = new Map();

  constructor(parent) {
    this.#parent = parent;
  }

  /** rows: {key, version, build() -> node, update?(node)}; a row whose version changed is updated, or built anew. */
  show(rows) {
    const slots = new Map();
    for (const row of rows) slots.set(row.key, this.#slot(row));
    const nodes = new Set([...slots.values()].map(({ node }) => node));
    for (const child of [...this.#parent.childNodes]) if (!nodes.has(child)) child.remove();
    let at = this.#parent.firstChild;
    for (const node of nodes) {
      if (node === at) at = at.nextSibling;
      else this.#parent.insertBefore(node, at);
    }
    this.#slots = slots;
  }

  #slot({ key, version, build, update }) {
    const before = this.#slots.get(key);
    if (before?.version === version) return before;
    if (!before || !update) return { version, node: build() };
    update(before.node);
    return { version, node: before.node };
  }
}
