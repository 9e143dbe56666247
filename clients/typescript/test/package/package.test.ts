import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import vm from "node:vm";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { WebSocket } from "ws";

const root = fileURLToPath(new URL("../..", import.meta.url));
const file = (name: string) => readFileSync(`${root}/${name}`, "utf8");
const require = createRequire(import.meta.url);

test.each(["dist/esm/index.js", "dist/wireroom.min.js"])("%s has at most 8 KB gzipped", (name) => {
  expect(gzipSync(file(name), { level: 9 }).length).toBeLessThanOrEqual(8192);
});

test.each(["dist/esm/fallback.js", "dist/wireroom-fallback.min.js"])("%s, which most never load, has at most 6 KB", (name) => {
  expect(gzipSync(file(name), { level: 9 }).length).toBeLessThanOrEqual(6144);
});

test.each([
  ["dist/esm/index.js", 'import("./fallback.js")'],
  ["dist/cjs/index.js", 'require("./fallback.js")'],
  ["dist/wireroom.min.js", 'import("./wireroom-fallback.min.js")'],
])("%s loads the other ways by %s alone", (name, load) => {
  expect(file(name).split(load)).toHaveLength(2);
  expect(file(name)).not.toContain("text/event-stream");
});

test.each([
  ["dist/esm/index.js", "wireroom.js"],
  ["dist/esm/fallback.js", "fallback.js"],
])("the pages of the server have %s as it is; else `npm run pages` gives it to them", (name, given) => {
  const module = file(name).replace(/\n\/\/# sourceMappingURL=.*\n?$/, "\n");
  expect(readFileSync(`${root}/../../web/parts/client/${given}`, "utf8")).toBe(module);
});

test("there is nothing to install beside it", () => {
  const { dependencies, peerDependencies, peerDependenciesMeta } = JSON.parse(file("package.json"));
  expect(dependencies).toBeUndefined();
  expect(Object.keys(peerDependencies)).toEqual(["react"]);
  expect(peerDependenciesMeta.react.optional).toBe(true);
});

test("the versions of all tools are pinned", () => {
  for (const version of Object.values(JSON.parse(file("package.json")).devDependencies)) {
    expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  }
});

test.each(["wireroom", "wireroom/websocket", "wireroom/react"])("%s is the same by import and by require", async (name) => {
  const imported = Object.keys(await import(name)).sort();
  expect(Object.keys(require(name)).sort()).toEqual(imported);
  expect(imported.length).toBeGreaterThan(0);
});

test("as a script it has the one global Wireroom", () => {
  const page = vm.createContext({ URL, TextEncoder, crypto, setTimeout, clearTimeout, setInterval, clearInterval, WebSocket });
  const before = Object.keys(page);
  vm.runInContext(file("dist/wireroom.min.js"), page);
  expect(Object.keys(page).filter((key) => !before.includes(key))).toEqual(["Wireroom"]);
  expect(Object.keys(page.Wireroom).sort()).toEqual(["Client", "WireroomError", "connect"]);
});

test("no name that is shortened is one of the public interface, of an envelope or of the language", () => {
  const names: string[] = JSON.parse(file("scripts/internal-names.json"));
  const known = new Set<string>();
  for (const module of ["types", "room", "client", "errors", "emitter", "backoff", "websocket", "react"]) {
    for (const [, name] of file(`dist/esm/${module}.d.ts`).matchAll(/^\s+(?:(?:readonly|get|set|static|override) )*(\w+)\??[(:<]/gm)) {
      known.add(name as string);
    }
  }
  expect(known.size).toBeGreaterThan(100);
  const protocol = file("../../docs/protocol.md");
  const builtin = [Object, Array, Map, Set, Promise, String, Function, Uint8Array, Error, EventTarget, URL, WebSocket]
    .flatMap((type) => [...Object.getOwnPropertyNames(type), ...Object.getOwnPropertyNames(type.prototype)]);
  for (const name of names) {
    expect(known, name).not.toContain(name);
    expect(builtin, name).not.toContain(name);
    expect(protocol, name).not.toContain(`"${name}":`);
  }
});

test.each(["tsconfig.json", "tsconfig.nodom.json"])("the types say what is allowed and what is not: %s", (config) => {
  const tsc = `${root}/node_modules/typescript/bin/tsc`;
  expect(() => execFileSync(process.execPath, [tsc, "-p", `${root}/test/types/${config}`], { encoding: "utf8" })).not.toThrow();
}, 60_000);

test("the examples of the README compile", () => {
  const folder = mkdtempSync(`${root}/test/types/readme-`);
  try {
    const examples = [...file("README.md").matchAll(/^```(tsx?)\n(.*?)^```$/gms)];
    expect(examples.length).toBeGreaterThan(5);
    examples.forEach(([, kind, text], i) => {
      writeFileSync(`${folder}/example${i}.${kind}`, text as string);
    });
    const config = { extends: "../tsconfig.json", compilerOptions: { jsx: "react-jsx" }, include: ["*"] };
    writeFileSync(`${folder}/tsconfig.json`, JSON.stringify(config));
    const tsc = `${root}/node_modules/typescript/bin/tsc`;
    expect(() => execFileSync(process.execPath, [tsc, "-p", folder], { encoding: "utf8" })).not.toThrow();
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 60_000);

test("the reference in the documentation is that of the declarations", async () => {
  const { reference } = await import(`${root}/scripts/api.mjs`);
  expect(file("../../docs/javascript-api.md"), "npm run api writes it").toBe(reference());
});

/** Returns the names that a module's declarations export, those of other modules with them. */
function exportsOf(module: string): string[] {
  const text = file(`dist/esm/${module}.d.ts`);
  const own = [...text.matchAll(/^export (?:declare )?(?:abstract )?(?:class|interface|function|type|const) (\w+)/gm)].map(([, name]) => name as string);
  const listed = [...text.matchAll(/^export (?:type )?\{(.*?)\}/gms)].flatMap(([, names]) => [...(names as string).matchAll(/(\w+)\s*(?:,|$)/g)]);
  const whole = [...text.matchAll(/^export (?:type )?\* from "\.\/(\w+)\.js"/gm)].flatMap(([, from]) => exportsOf(from as string));
  return [...own, ...listed.map(([, name]) => name as string), ...whole];
}

test.each(["index", "websocket", "react"])("all that %s exports stands in the reference", (module) => {
  const written = [...file("../../docs/javascript-api.md").matchAll(/^### (\w+)$/gm)].map(([, name]) => name);
  const names = exportsOf(module);
  expect(names.length).toBeGreaterThan(4);
  for (const name of names) {
    expect(written, name).toContain(name);
  }
});

test("what is published is what is built, and its documentation", () => {
  const out = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: root, encoding: "utf8" });
  const [{ files }] = JSON.parse(out);
  const paths: string[] = files.map((entry: { path: string }) => entry.path);
  expect(paths).toContain("README.md");
  expect(paths.filter((path) => !path.startsWith("dist/")).sort()).toEqual(["LICENSE", "README.md", "package.json"]);
  // Every file that package.json points at is there, and every module has its types.
  const { exports, main, module, types, unpkg, jsdelivr } = JSON.parse(file("package.json"));
  const pointed = Object.values(exports).flatMap((entry) => (typeof entry === "string" ? [entry] : Object.values(entry as object)));
  for (const path of [...pointed, main, module, types, unpkg, jsdelivr]) {
    expect(paths).toContain(path.slice(2));
  }
  for (const entry of ["index", "websocket", "react", "fallback"]) {
    for (const kind of ["esm", "cjs"]) {
      expect(paths).toContain(`dist/${kind}/${entry}.js`);
      expect(paths).toContain(`dist/${kind}/${entry}.d.ts`);
    }
  }
  expect(file("LICENSE")).toBe(file("../../LICENSE"));
}, 60_000);
