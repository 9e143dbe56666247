// Gives the server's own pages this client: the modules of dist/, which the repository keeps under web/, so that whoever
// starts the server needs no Node. A test holds the two equal.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

const folder = new URL("../../../web/parts/client/", import.meta.url);
const modules = { "index.js": "wireroom.js", "fallback.js": "fallback.js" };

/** What the pages are given: [name, text] of each file. */
export function given() {
  return Object.entries(modules).map(([from, to]) => {
    const text = readFileSync(new URL(`../dist/esm/${from}`, import.meta.url), "utf8");
    return [to, text.replace(/\n\/\/# sourceMappingURL=.*\n?$/, "\n")];
  });
}

/** What they have: the text of a file. */
export function had(name) {
  return readFileSync(new URL(name, folder), "utf8");
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of given()) {
    writeFileSync(new URL(name, folder), text);
  }
}
