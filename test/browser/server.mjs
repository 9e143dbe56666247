// The real server, started for a test: built once, on a port of its own, and gone afterwards.

import { spawn, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { get as secureGet } from "node:https";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MODULE = new URL("../../", import.meta.url).pathname;
const PATIENCE = 20_000;

let built = "";

/** The path of the binary: WIREROOM_BIN where it is set, else built from this checkout. */
export function binary() {
  if (process.env.WIREROOM_BIN) return process.env.WIREROOM_BIN;
  if (built) return built;
  const folder = mkdtempSync(join(tmpdir(), "wireroom-browser-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  built = join(folder, "wireroom");
  execFileSync("go", ["build", "-o", built, "./cmd/wireroom"], { cwd: MODULE, stdio: "inherit" });
  return built;
}

/** A port of loopback that is free now. */
export async function freePort() {
  const probe = createServer();
  await new Promise((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** `wireroom serve` on a port; start, stop and kill may be called again and again. */
export class Server {
  #process = null;
  #output = "";

  constructor(port, flags = []) {
    this.port = port;
    this.flags = flags;
    this.scheme = flags.includes("--tls-cert-file") ? "https" : "http";
  }

  get url() {
    return `${this.scheme}://127.0.0.1:${this.port}/`;
  }

  async start() {
    this.#output = "";
    this.#process = spawn(binary(), ["serve", "--listen", `127.0.0.1:${this.port}`, ...this.flags], { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#process.stdout, this.#process.stderr]) stream.on("data", (text) => (this.#output += text));
    const until = Date.now() + PATIENCE;
    while (!(await this.#answers())) {
      if (Date.now() > until || this.#process.exitCode !== null) throw new Error(`the server did not start:\n${this.#output}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return this;
  }

  /** Ends it gently (SIGTERM: it drains) or at once (SIGKILL). */
  async stop(signal = "SIGTERM") {
    if (!this.#process || this.#process.exitCode !== null || this.#process.signalCode) return;
    const gone = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.kill(signal);
    await gone;
  }

  async #answers() {
    try {
      return this.scheme === "https" ? await answersSecurely(this.url) : (await fetch(this.url)).ok;
    } catch {
      return false;
    }
  }
}

/** Whether a server answers whose certificate is its own. */
function answersSecurely(url) {
  return new Promise((resolve, reject) => {
    const request = secureGet(url, { rejectUnauthorized: false, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on("error", reject);
  });
}
