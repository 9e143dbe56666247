// Builds dist/: ES modules, CommonJS, a script with the global `Wireroom`, and the types of each.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
rmSync("dist", { recursive: true, force: true });

// Names of what modules of the core have for each other and nobody else sees. They are no names of the language, of the
// browser, of an envelope or of the public interface, which a test holds.
const internal = JSON.parse(readFileSync("scripts/internal-names.json", "utf8"));

const shared = {
  bundle: true,
  minify: true,
  legalComments: "none",
  target: "es2022",
  platform: "neutral",
  external: ["react"],
  sourcemap: true,
  mangleProps: new RegExp(`^(${internal.join("|")})$`),
};
/** What most clients never need stands in a file of its own, which is loaded when a client needs it. */
const beside = (name) => ({
  name: "beside",
  setup: ({ onResolve }) => onResolve({ filter: /^\.\/fallback\.js$/ }, () => ({ path: name, external: true })),
});
const entryPoints = ["src/index.ts", "src/websocket.ts", "src/react.ts", "src/fallback.ts"];
const plugins = [beside("./fallback.js")];
await build({ ...shared, plugins, entryPoints, format: "esm", outdir: "dist/esm" });
// There `import()` is a `require`, which gives the names of a module as they are.
const supported = { "dynamic-import": false };
await build({ ...shared, plugins, supported, entryPoints, format: "cjs", outdir: "dist/cjs" });
// A plain script may import a module; the name is that of a file beside the script.
await build({
  ...shared,
  plugins: [beside("./wireroom-fallback.min.js")],
  entryPoints: ["src/global.ts"],
  format: "esm",
  banner: { js: "(()=>{" },
  footer: { js: "})();" },
  outfile: "dist/wireroom.min.js",
});
await build({ ...shared, entryPoints: ["src/fallback.ts"], format: "esm", outfile: "dist/wireroom-fallback.min.js" });

execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], { stdio: "inherit" });
rmSync("dist/esm/global.d.ts");
for (const name of readdirSync("dist/esm").filter((file) => file.endsWith(".d.ts"))) {
  mkdirSync("dist/cjs", { recursive: true });
  cpSync(`dist/esm/${name}`, `dist/cjs/${name}`);
}
writeFileSync("dist/cjs/package.json", '{ "type": "commonjs" }\n');
