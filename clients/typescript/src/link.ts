import { type WireroomError, disconnected, refusal } from "./errors.js";
import { Alarm, clock } from "./clock.js";
import type { SocketLike, Transport } from "./types.js";
import { type Envelope, type Payload, read, sizeOf, write } from "./wire.js";

/**
 * Takes the answer to a request: the `ok`, or an `error` envelope with what it tells. Without an envelope the connection
 * was lost before the answer came. It is called once.
 */
export type Answer = (reply: Envelope | undefined, error: WireroomError | undefined) => void;

/** How a link calls up. `ended` is the last call, and comes once; the answers that are still due follow it. */
export interface LinkEvents {
  opened(): void;
  received(envelope: Envelope): void;
  ended(code: number, reason: string): void;
}

/** WebSocket.OPEN */
const open = 1;

/**
 * A server pings every `pingMs`, give or take a tenth: after a longer silence it is pinged, and after a request that it
 * has not answered in `askedMs`. Then it has `answerMs`. So a dead connection is noticed within 40 s, and within 35 s
 * where there is something to send.
 */
export const grace = 1.15;
const askedMs = 15_000;
const answerMs = 10_000;
const lookMs = 5_000;

/** One connection: it writes requests, gives each its answer, and notices when the server is gone. */
export class Link {
  /** Set by the welcome: the server's ping interval, and the most that it takes in one frame. */
  pingMs = 25_000;
  maxMessage = Infinity;
  readonly #now = clock();
  readonly #socket: SocketLike;
  readonly #events: LinkEvents;
  #pending = new Map<number, Answer>();
  #lastId = 0;
  #ended = false;
  readonly #alarm = new Alarm(() => this.#watch());
  #heard = this.#now();
  /** When the first request was written since something was heard, and when a ping was; Infinity for not. */
  #asked = Infinity;
  #probed = Infinity;

  constructor(socket: SocketLike, events: LinkEvents) {
    this.#socket = socket;
    this.#events = events;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.#heard = this.#now();
      this.#watch();
      events.opened();
    };
    socket.onmessage = (event) => this.#received(event.data);
    // What went wrong is not told here, and a close follows.
    socket.onerror = () => {};
    socket.onclose = (event) => this.end(event.code, event.reason);
  }

  /** How it is carried. */
  get transport(): Transport {
    return this.#socket.transport ?? "websocket";
  }

  /** How many bytes the socket was given and has not sent. */
  get bufferedAmount(): number {
    return this.#socket.bufferedAmount;
  }

  /** Writes an envelope that gets no answer. */
  send(envelope: object): void {
    this.#write(write(envelope));
  }

  /**
   * Writes a request; `answer` is called later. Returns false, and writes nothing, when that would be longer than the
   * server takes: it would end the connection.
   */
  ask(envelope: object, payload: Payload, answer: Answer): boolean {
    const id = ++this.#lastId;
    const frame = write({ ...envelope, id }, payload);
    if (!frame || sizeOf(frame) > this.maxMessage) {
      return false;
    }
    this.#pending.set(id, answer);
    this.#asked = Math.min(this.#asked, this.#now());
    this.#write(frame);
    return true;
  }

  /** Asks whether the server is there, and ends the link if it does not say so soon. */
  probe(): void {
    if (this.#probed === Infinity) {
      this.#probed = this.#now();
      this.#watch();
      this.send({ type: "ping" });
    }
  }

  /**
   * Ends the link, as a close by the server with that code and reason would. The server is told `goodbye`; 4000 says to
   * it that the client may come back.
   */
  end(code: number, reason: string, goodbye = 4000): void {
    if (this.#ended) {
      return;
    }
    this.#ended = true;
    this.#alarm.clear();
    const socket = this.#socket;
    socket.onopen = socket.onmessage = socket.onclose = null;
    try {
      socket.close(goodbye);
    } catch {
      // A socket that cannot be closed now is left to itself; nobody listens to it any more.
    }
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    this.#events.ended(code, reason);
    for (const answer of pending) {
      answer(undefined, disconnected(true));
    }
  }

  #write(frame: ReturnType<typeof write>): void {
    if (frame && this.#socket.readyState === open) {
      this.#socket.send(frame);
    }
  }

  #received(frame: unknown): void {
    this.#heard = this.#now();
    this.#asked = this.#probed = Infinity;
    const envelope = read(frame);
    if (!envelope) {
      return;
    }
    const answer = this.#pending.get(envelope.id);
    if (envelope.type === "ping") {
      this.send({ type: "pong" });
    } else if (answer && (envelope.type === "ok" || envelope.type === "error")) {
      this.#pending.delete(envelope.id);
      answer(envelope, envelope.type === "ok" ? undefined : refusal(envelope as never));
    } else {
      this.#events.received(envelope);
    }
  }

  /** Looks after the silence, often enough that nothing has to set the timer anew when a frame comes or goes. */
  #watch(): void {
    const waits = this.#probed < Infinity;
    const due = waits ? this.#probed + answerMs : Math.min(this.#heard + this.pingMs * grace, this.#asked + askedMs);
    const left = due - this.#now();
    if (left > 0) {
      this.#alarm.set(Math.min(lookMs, left));
    } else if (waits) {
      this.end(1006, "no answer");
    } else {
      this.probe();
    }
  }
}
