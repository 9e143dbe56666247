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

/** Builds the server of this repository for the tests. */
export default function setup(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), "wireroom-"));
  const program = join(folder, "wireroom");
  const root = fileURLToPath(new URL("../../../..", import.meta.url));
  execFileSync("go", ["build", "-o", program, "./cmd/wireroom"], { cwd: root, stdio: "inherit" });
  project.provide("wireroom", program);
  return () => rmSync(folder, { recursive: true });
}
