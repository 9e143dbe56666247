import { type ChildProcess, spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { createInterface } from "node:readline";
import { inject } from "vitest";

/** A server of this repository, in a process of its own. */
export interface Server {
  port: number;
  url: string;
  process: ChildProcess;
  /** Ends it, by SIGTERM unless told otherwise, and resolves when it has ended. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** The secret with which the tests sign tokens. */
export const secret = "a secret for tests only";

/** Returns a port that nobody listens on. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}

/** Starts a server and resolves when it takes connections. */
export async function startServer(options: { args?: string[]; port?: number; secret?: boolean } = {}): Promise<Server> {
  const port = options.port ?? (await freePort());
  const child = spawn(inject("wireroom"), ["serve", "--listen", `127.0.0.1:${port}`, "--access=anyone", ...(options.args ?? [])], {
    env: { ...process.env, ...(options.secret ? { WIREROOM_SECRET: secret } : {}) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface(stream).on("line", (line) => lines.push(line));
  }
  for (let tries = 0; ; tries++) {
    const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined);
    if (answer) {
      break;
    }
    if (child.exitCode !== null || tries > 200) {
      throw new Error(`the server does not start:\n${lines.join("\n")}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return {
    port,
    url: `ws://127.0.0.1:${port}/ws`,
    process: child,
    async stop(signal = "SIGTERM") {
      child.kill(signal);
      await exited;
    },
  };
}

/** Returns a token of a user, good for so many seconds. */
export function tokenOf(user: string, seconds = 3600): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + seconds;
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: user, name: user, exp })}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}
