import { type FeedEvents, polled, streamed } from "./feed.js";
import { Host } from "./host.js";
import { HttpSocket, type Way } from "./httpsocket.js";
import { recall, remember } from "./memory.js";
import type { ConnectOptions, SocketClass, SocketLike, Transport } from "./types.js";
import { subprotocolOf } from "./wire.js";

/** How long something in the way may keep the first answer, at first and at most; it doubles with each round. */
const patienceMs = 5_000;
const mostPatienceMs = 15_000;

/** When a better way is tried again, while a worse one works: at first and at most. */
const climbMs = 60_000;
const mostClimbMs = 600_000;
/** How long a better way has to show that it works. */
const trialMs = 10_000;

const feeds = { sse: streamed, poll: polled };

/** Returns the name under which it is kept what works for a server. */
export function keyOf(address: string): string {
  return `wireroom ${new URL(address).host}`;
}

/**
 * Chooses how the next link is carried: by a WebSocket, or where that is blocked by server-sent events, or where those
 * are, by long polls. A way that has failed before the server was heard is followed by the next one, and the last by
 * the first. While a worse one works, the better ones are tried again from time to time.
 */
export class Ladder {
  readonly #address: string;
  readonly #Socket: SocketClass | undefined;
  readonly #ways: Transport[];
  readonly #mayClimb: boolean;
  readonly #mostPatienceMs: number;
  #misses = 0;
  /** The way that is used, as its place in the order; none before the first. */
  #at = -1;
  #round = 0;
  #climbs = 0;
  /** Streams begin here, and then nothing of them comes through. */
  #stalls = false;

  constructor(address: string, Socket: SocketClass | undefined, options: ConnectOptions) {
    const wanted = options.transports ?? ["websocket", "sse", "poll"];
    this.#address = address;
    this.#Socket = Socket;
    this.#ways = wanted.filter((way) => Socket || way !== "websocket");
    this.#mostPatienceMs = options.connectTimeoutMs ?? mostPatienceMs;
    // To change over ends a connection, which counts.
    this.#mayClimb = (options.maxAttempts ?? Infinity) > 1;
  }

  /**
   * Returns what to connect with now. `misses` is how often, in a row, the server was not heard at all; 0 or less after
   * it was.
   */
  next(misses: number, token: string | undefined): SocketClass {
    const key = keyOf(this.#address);
    if (this.#at < 0) {
      const known = this.#ways.indexOf(recall(key) as Transport);
      this.#at = Math.max(known, misses > 0 ? 1 : 0) % this.#ways.length;
    } else if (misses > 0 && misses !== this.#misses) {
      this.#at = (this.#at + 1) % this.#ways.length;
      this.#round += this.#at === 0 ? 1 : 0;
    } else if (this.#at === 0) {
      remember(key);
    }
    this.#misses = misses;
    const name = this.#ways[this.#at];
    return name === "websocket" ? (this.#Socket as SocketClass) : this.#over(name as "sse" | "poll", token);
  }

  /** Returns a class of sockets over HTTP. */
  #over(name: "sse" | "poll", token: string | undefined): SocketClass {
    const ladder = this;
    const way: Way = {
      name,
      feed: feeds[name],
      patienceMs: Math.min(this.#mostPatienceMs, patienceMs * 2 ** this.#round),
    };
    return class extends HttpSocket {
      #climb?: ReturnType<typeof setTimeout>;
      #triedAt = 0;

      constructor(address: string) {
        super(address, token, way);
      }

      override blocked(): void {
        ladder.#stalls = true;
        ladder.#at = Math.min(ladder.#at + 1, ladder.#ways.length - 1);
        remember(keyOf(ladder.#address), ladder.#ways[ladder.#at]);
      }

      override opened(): void {
        remember(keyOf(ladder.#address), name);
        this.#wait();
      }

      override close(): void {
        clearTimeout(this.#climb);
        super.close();
      }

      override woken(): void {
        if (ladder.#mayClimb && Date.now() - this.#triedAt > trialMs) {
          void this.#try();
        }
      }

      #wait(): void {
        clearTimeout(this.#climb);
        if (this.readyState < 3 && ladder.#at > 0 && ladder.#mayClimb) {
          const ms = Math.min(mostClimbMs, climbMs * 2 ** ladder.#climbs++) * (0.5 + Math.random());
          this.#climb = setTimeout(() => void this.#try(), ms);
        }
      }

      /** Tries the better ways, and changes over to the first that works. */
      async #try(): Promise<void> {
        this.#triedAt = Date.now();
        const better = await ladder.#better(this.token);
        if (better < 0 || this.readyState === 3) {
          this.#wait();
          return;
        }
        ladder.#at = better;
        ladder.#climbs = ladder.#round = 0;
        remember(keyOf(ladder.#address), better > 0 ? ladder.#ways[better] : undefined);
        this.retire();
      }
    };
  }

  /** Returns the first way that works, of those that are better than the one that is used; or -1. */
  async #better(token: string | undefined): Promise<number> {
    for (let i = 0; i < this.#at; i++) {
      const works = this.#ways[i] === "websocket" ? this.#tryWebSocket(token) : !this.#stalls && this.#tryStream(token);
      if (await works) {
        return i;
      }
    }
    return -1;
  }

  #tryWebSocket(token: string | undefined): Promise<boolean> {
    const protocols = ["wireroom.v1", ...(token ? [subprotocolOf(token)] : [])];
    return new Promise((resolve) => {
      let socket: SocketLike;
      try {
        socket = new (this.#Socket as SocketClass)(this.#address, protocols);
      } catch {
        // A page may have been forbidden to make one.
        resolve(false);
        return;
      }
      const end = (works: boolean) => {
        clearTimeout(timer);
        socket.onopen = socket.onmessage = socket.onclose = null;
        try {
          socket.close(1000);
        } catch {
          // It was not open yet.
        }
        resolve(works);
      };
      const timer = setTimeout(() => end(false), trialMs);
      socket.onmessage = () => end(true);
      socket.onerror = () => {};
      socket.onclose = ({ code }) => end(code >= 4000);
    });
  }

  #tryStream(token: string | undefined): Promise<boolean> {
    const abort = new AbortController();
    return new Promise((resolve) => {
      const end = (works: boolean) => {
        clearTimeout(timer);
        abort.abort();
        resolve(works);
      };
      const timer = setTimeout(() => end(false), trialMs);
      const events: FeedEvents = {
        granted: () => {},
        alive: () => {},
        envelope: () => end(true),
        ended: () => end(false),
      };
      const wanted = { rooms: () => ["@"], vector: "", query: [], number: () => [1, 0] as [number, number], took: () => {} };
      void streamed(new Host(this.#address, token), wanted, abort.signal, events);
    });
  }
}
