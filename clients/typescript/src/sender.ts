import { within } from "./feed.js";
import { type Ending, type Host, lost, refusalOf } from "./host.js";
import { sizeOf } from "./wire.js";

/** What a server takes in one request. */
const mostEnvelopes = 64;
/** How long the answer to a request may take. */
const answerMs = 25_000;

/** A request that waits for its turn. */
interface Letter {
  text: string;
  size: number;
  /** Whoever gave it does not send it again when it is lost. */
  once: boolean;
}

/** How a sender calls up. */
export interface SenderEvents {
  /** The server's answer to one request, as its text. */
  replied(text: string): void;
  /** A request got no answer: whether it was carried out is not known. */
  ended(ending: Ending): void;
}

/** Sends requests in their order: one POST after the other, each with all that has come together meanwhile. */
export class Sender {
  /** The most that the server takes in one request. */
  maxMessage = Infinity;
  /** What was given and is not answered, in bytes. */
  bytes = 0;
  readonly #host: Host;
  readonly #signal: AbortSignal;
  readonly #events: SenderEvents;
  #letters: Letter[] = [];
  #busy = false;
  #then?: () => void;

  constructor(host: Host, signal: AbortSignal, events: SenderEvents) {
    this.#host = host;
    this.#signal = signal;
    this.#events = events;
  }

  /** Sends an envelope; one that is sent `once` is not given back by `pause`. */
  send(text: string, once: boolean): void {
    const size = sizeOf(text);
    this.#letters.push({ text, size, once });
    this.bytes += size;
    if (!this.#busy) {
      this.#busy = true;
      // What is given in one turn goes together.
      queueMicrotask(() => void this.#post());
    }
  }

  /** Calls `then`, once nothing is on its way and nothing waits that is sent once. */
  pause(then: () => void): void {
    if (this.#busy) {
      this.#then = then;
    } else {
      then();
    }
  }

  async #post(): Promise<void> {
    for (let batch; (batch = this.#next()).length > 0 && !this.#signal.aborted; ) {
      const ending = await this.#deliver(batch).catch(() => lost);
      if (this.#signal.aborted) {
        return;
      }
      if (ending) {
        this.#events.ended(ending);
        return;
      }
      for (const { size } of batch) {
        this.bytes -= size;
      }
      if (this.#then && !this.#letters.some(({ once }) => once)) {
        break;
      }
    }
    this.#busy = false;
    this.#then?.();
  }

  #next(): Letter[] {
    let size = 0;
    let count = 0;
    for (const letter of this.#letters.slice(0, mostEnvelopes)) {
      size += letter.size + 1;
      if (count > 0 && size >= this.maxMessage) {
        break;
      }
      count++;
    }
    return this.#letters.splice(0, count);
  }

  /** Posts a batch, and returns why there will be no further one. */
  async #deliver(batch: Letter[]): Promise<Ending | undefined> {
    const texts = batch.map(({ text }) => text);
    const body = texts.length === 1 ? (texts[0] as string) : `[${texts.join()}]`;
    const headers = { "Content-Type": "application/json" };
    const told = await within(answerMs, this.#signal, async (signal) => {
      const response = await this.#host.request("send", [], { method: "POST", body, headers, signal });
      return response.status === 200 ? response.json() : refusalOf(response);
    });
    if (this.#signal.aborted || told?.code >= 1000) {
      return told;
    }
    for (const reply of [told].flat()) {
      this.#events.replied(JSON.stringify(reply));
    }
    return undefined;
  }
}
