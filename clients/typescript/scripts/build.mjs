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
const entryPoints = ["src/index.ts", "src/websocket.ts", "src/react.ts"];
await build({ ...shared, entryPoints, format: "esm", outdir: "dist/esm" });
await build({ ...shared, entryPoints, format: "cjs", outdir: "dist/cjs" });
await build({ ...shared, entryPoints: ["src/global.ts"], format: "iife", outfile: "dist/wireroom.min.js" });

execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], { stdio: "inherit" });
rmSync("dist/esm/global.d.ts");
for (const name of readdirSync("dist/esm").filter((file) => file.endsWith(".d.ts"))) {
  mkdirSync("dist/cjs", { recursive: true });
  cpSync(`dist/esm/${name}`, `dist/cjs/${name}`);
}
writeFileSync("dist/cjs/package.json", '{ "type": "commonjs" }\n');
