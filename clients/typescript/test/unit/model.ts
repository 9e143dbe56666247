import type { FakeSocket } from "./fake.js";

/** A room of a server that refuses, forgets to answer and loses connections at random, by the rules of the protocol. */
export class Model {
  stored: number[] = [];
  #producers = new Map<string, number>();
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  take(p: any, socket: FakeSocket): void {
    const reply = (fields: object) =>
      setTimeout(() => socket.readyState === 1 && socket.push({ id: p.id, of: "publish", ...fields }), this.#random() * 50);
    const refuse = (code: string) => reply({ type: "error", code, message: code, retryable: true });
    const dice = this.#random();
    const last = this.#producers.get(p.producer) ?? 0;
    if (dice < 0.05) {
      refuse("rate_limited");
    } else if (p.seq > last + 1) {
      refuse("out_of_order");
    } else {
      if (p.seq === last + 1) {
        this.#producers.set(p.producer, p.seq);
        this.stored.push(p.data);
      }
      if (dice < 0.1) {
        refuse("timeout");
      } else {
        reply({ type: "ok", pos: `aaaaaaaa.${this.stored.length}.0`, ts: 1, duplicate: p.seq <= last });
      }
    }
    if (dice > 0.98) {
      setTimeout(() => socket.readyState === 1 && socket.drop(), this.#random() * 50);
    }
  }
}
