import { type ChildProcess, spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { inject } from "vitest";

/** The servers of the scenarios, in a process of their own. */
export class Stages {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #waiting = new Map<number, (answer: { url?: string; error?: string }) => void>();
  #orders = 0;

  constructor() {
    this.#child = spawn(inject("stage"), [], { stdio: ["pipe", "pipe", "inherit"] });
    this.#exited = once(this.#child, "exit");
    createInterface(this.#child.stdout!).on("line", (line) => {
      const { id, ...answer } = JSON.parse(line);
      this.#waiting.get(id)?.(answer);
      this.#waiting.delete(id);
    });
  }

  /** Starts a server with settings of its own, or with those that most scenarios share, and returns its address. */
  async start(settings: object | null): Promise<string> {
    return (await this.#order({ start: settings })).url as string;
  }

  /** Has the application of a server do something. */
  async act(at: string, act: object): Promise<void> {
    await this.#order({ at, do: act });
  }

  async stop(at: string): Promise<void> {
    await this.#order({ at, stop: true });
  }

  async end(): Promise<void> {
    this.#child.stdin!.end();
    await this.#exited;
  }

  async #order(order: object): Promise<{ url?: string }> {
    const id = ++this.#orders;
    this.#child.stdin!.write(`${JSON.stringify({ id, ...order })}\n`);
    const answer = await new Promise<{ url?: string; error?: string }>((resolve) => this.#waiting.set(id, resolve));
    if (answer.error) {
      throw new Error(answer.error);
    }
    return answer;
  }
}

/** Returns a token of a user that these servers take. */
export function stageToken(user: string, name: string, roles?: string[]): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: user, name, exp, roles })}`;
  return `${text}.${createHmac("sha256", "the secret of the scenarios").update(text).digest("base64url")}`;
}
