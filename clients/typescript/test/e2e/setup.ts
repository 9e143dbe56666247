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
  }
}

/** Gives the tests the server of this repository: the program that `WIREROOM_BIN` names, else one that is built now. */
export default function setup(project: TestProject): (() => void) | undefined {
  if (process.env.WIREROOM_BIN) {
    project.provide("wireroom", process.env.WIREROOM_BIN);
    return undefined;
  }
  const folder = mkdtempSync(join(tmpdir(), "wireroom-"));
  const program = join(folder, "wireroom");
  const root = fileURLToPath(new URL("../../../..", import.meta.url));
  execFileSync("go", ["build", "-o", program, "./cmd/wireroom"], { cwd: root, stdio: "inherit" });
  project.provide("wireroom", program);
  return () => rmSync(folder, { recursive: true });
}
