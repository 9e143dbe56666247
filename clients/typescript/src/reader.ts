import { isAfter, sameEpoch } from "./position.js";
import type { Room } from "./room.js";
import type { Gap, Message } from "./types.js";

/** How much waits for a slow reader before it falls behind, and how much it reads at once then. */
const most = 1024;
const page = 500;

/**
 * Reads a room in order, each message once, as fast as it is asked. A reader for which more than 1,024 messages wait
 * falls behind: it drops what comes and reads it from the room's history later, until it has come up with the room. What
 * the history does not have any more is a gap.
 */
export class Reader<T> implements AsyncIterableIterator<Message<T> | Gap> {
  readonly #room: Room<T>;
  #queue: (Message<T> | Gap)[] = [];
  #waiting: { resolve(result: IteratorResult<Message<T> | Gap>): void; reject(error: unknown): void }[] = [];
  #ended = false;
  #error?: Error;
  #stop: (() => void)[] = [];
  /** Where the queue ends, and while behind, where the room is. */
  #position?: string;
  #head?: string;
  #fetching = false;

  constructor(room: Room<T>) {
    this.#room = room;
    this.#position = room.position;
    this.#stop.push(
      room.on("message", (m) => this.#take(m)),
      room.on("gap", (g) => this.#take(g)),
      room.on("joined", (joined) => {
        if (!this.#head) {
          this.#position = joined.pos;
        }
      }),
      room.on("left", (error) => this.#end(error)),
    );
    if (room.stage === "left") {
      this.#end(room.error);
    }
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Message<T> | Gap>> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#settle();
    });
  }

  return(): Promise<IteratorResult<Message<T> | Gap>> {
    this.#queue = [];
    this.#head = undefined;
    this.#end();
    return Promise.resolve({ done: true, value: undefined });
  }

  #take(item: Message<T> | Gap): void {
    if (this.#head || this.#queue.length >= most) {
      // An ephemeral message, which is in no history, is lost to a reader that is behind.
      this.#head = item.pos ?? this.#head;
      return;
    }
    this.#push(item);
  }

  #push(item: Message<T> | Gap): void {
    this.#position = item.pos ?? this.#position;
    this.#queue.push(item);
    this.#settle();
  }

  #end(error?: Error): void {
    if (!this.#ended) {
      this.#ended = true;
      this.#error = error;
      for (const stop of this.#stop) {
        stop();
      }
      this.#settle();
    }
  }

  /** Gives those who wait what there is. */
  #settle(): void {
    for (let first; (first = this.#waiting[0]); this.#waiting.shift()) {
      const value = this.#queue.shift();
      if (value) {
        first.resolve({ done: false, value });
      } else if (!this.#ended || this.#head) {
        break;
      } else if (this.#error) {
        first.reject(this.#error);
        this.#error = undefined;
      } else {
        first.resolve({ done: true, value: undefined });
      }
    }
    if (this.#head && this.#queue.length < most / 2) {
      void this.#catchUp();
    }
  }

  /** Reads what was dropped, a page at a time, as long as there is place for it. */
  async #catchUp(): Promise<void> {
    if (this.#fetching) {
      return;
    }
    this.#fetching = true;
    try {
      const { messages, pos, more, refused } = await this.#room.history({ since: this.#position, limit: page });
      if (refused) {
        this.#push({ type: "gap", room: this.#room.name, reason: refused, pos });
      }
      for (const m of messages) {
        this.#push(m);
      }
      this.#position = more ? this.#position : pos;
      const head = this.#head;
      if (!more && head && this.#position && !(sameEpoch(head, this.#position) && isAfter(head, this.#position))) {
        this.#head = undefined;
      } else if (messages.length === 0) {
        // What was seen live is not in the history yet.
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
    } catch {
      // The history is not to be had: what was dropped is lost to this reader, and it is told so.
      const pos = this.#head as string;
      this.#head = undefined;
      this.#push({ type: "gap", room: this.#room.name, reason: "lagged", pos });
    }
    this.#fetching = false;
    this.#settle();
  }
}
