// Gives the server's own pages this client: the modules of dist/, which the repository keeps under web/, so that whoever
// starts the server needs no Node. A test holds the two equal.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

const folder = new URL("../../../web/parts/client/", import.meta.url);
const modules = { "index.js": "wireroom.js", "fallback.js": "fallback.js" };

mkdirSync(folder, { recursive: true });
for (const [from, to] of Object.entries(modules)) {
  const text = readFileSync(new URL(`../dist/esm/${from}`, import.meta.url), "utf8");
  writeFileSync(new URL(to, folder), text.replace(/\n\/\/# sourceMappingURL=.*\n?$/, "\n"));
}
