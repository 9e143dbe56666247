import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** The path of the program wireroom. */
    wireroom: string;
    /** The path of the program with the servers of the scenarios. */
    stage: string;
  }
}

/**
 * Gives the tests the servers of this repository: the program that `WIREROOM_BIN` names, else one that is built now, and
 * those that the scenarios are played on.
 */
export default function setup(project: TestProject): () => void {
  console.log(`node ${process.version}, ${globalThis.WebSocket ? "with" : "without"} a WebSocket of its own; ws is given to the clients`);
  const folder = mkdtempSync(join(tmpdir(), "wireroom-"));
  const root = fileURLToPath(new URL("../../../..", import.meta.url));
  const build = (name: string, from: string) => {
    const program = join(folder, name);
    execFileSync("go", ["build", "-o", program, from], { cwd: root, stdio: "inherit" });
    return program;
  };
  project.provide("wireroom", process.env.WIREROOM_BIN ?? build("wireroom", "./cmd/wireroom"));
  project.provide("stage", build("stage", "./conformance/scenarios/stage/serve"));
  return () => rmSync(folder, { recursive: true });
}
