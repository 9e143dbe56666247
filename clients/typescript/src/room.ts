import type { Calls } from "./calls.js";
import type { Connection } from "./connection.js";
import { Emitter } from "./emitter.js";
import { WireroomError, tooLarge } from "./errors.js";
import { type Outbox, retryWait } from "./outbox.js";
import { type Position, distance } from "./position.js";
import { read } from "./reader.js";
import { Roster } from "./roster.js";
import type {
  Gap,
  History,
  HistoryOptions,
  Joined,
  Message,
  Presence,
  PresenceOptions,
  PresencePage,
  PublishOptions,
  Published,
  RoomOptions,
  StateChange,
} from "./types.js";
import { type Envelope, unpack } from "./wire.js";

/** What a room tells its listeners. */
export interface RoomEvents<T = any> {
  /** A message, in the room's order, each position once. */
  message: Message<T>;
  /** Messages were missed for good: reload what is shown, and go on. */
  gap: Gap;
  /** The client is in the room, for the first time or again after a lost connection. */
  joined: Joined;
  /** Who is in the room, whenever that changes. Only with the option `presence`. */
  presence: Presence;
  /** A user's own data has changed. Only with the option `presence`. */
  state: StateChange;
  /** The client is not in the room any more and does not come back; with the error unless the application wanted it. */
  left: WireroomError | undefined;
}

/** @internal What rooms share. */
export interface RoomHost {
  connection: Connection;
  calls: Calls;
  outbox: Outbox;
  /** Forgets a room that has ended. */
  forget(room: Room): void;
}

/** `joining` also while the connection is lost. */
export type RoomStage = "joining" | "joined" | "left";

/**
 * A room that the client is in. It stays joined over lost connections until `leave`, `close`, a kick, or until the server
 * refuses to let the client in again. After each lost connection every message that was missed comes, in order; where
 * that is impossible a `gap` comes instead.
 *
 * Iterating over a room yields its messages and gaps from then on: `for await (const m of room)`. The iteration ends
 * when the room is left, and throws when it ended by an error. Each iteration is its own, and may be as slow as it likes.
 */
export class Room<T = any> extends Emitter<RoomEvents<T>> implements AsyncIterable<Message<T> | Gap> {
  /** Settles with the first join: resolves when the client is in the room, rejects with the error that ended it before. */
  readonly joined: Promise<Joined>;
  /** Where the room stands: the newest message or gap that was handed to listeners. Keep it to continue from there. */
  position?: Position;
  stage: RoomStage = "joining";
  /** Why the room has ended, unless the application wanted it. */
  error?: WireroomError;
  /** @internal */
  name_: string;
  readonly #host: RoomHost;
  readonly #options: RoomOptions;
  #settle!: { resolve(joined: Joined): void; reject(error: WireroomError): void };
  #roster = new Roster();
  #tries = 0;
  /** The room is another one now, which is to be told as a gap. */
  #moved = false;
  #listing = false;
  #timer?: ReturnType<typeof setTimeout>;

  /** @internal */
  constructor(host: RoomHost, name: string, options: RoomOptions) {
    super();
    this.#host = host;
    this.name_ = name;
    this.#options = { ...options };
    this.joined = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // Whoever does not look at it is told by the event.
    this.joined.catch(() => {});
  }

  /** The room's name; empty for an inbox before the first welcome. */
  get name(): string {
    return this.name_;
  }

  /** How many users are in the room, with the option `presence`. */
  get count(): number {
    return this.#roster.presence.count;
  }

  /** Who is in the room, with the option `presence`; empty above 200 users. The array is made anew with each change. */
  get members(): Presence["members"] {
    return this.#roster.presence.members;
  }

  /**
   * Publishes data, any JSON value or bytes, and resolves when it is stored, or rejects with the error that settles it
   * within `retryForMs`. The message is encoded at once; it is sent again after a lost connection and after a refusal that
   * may pass, in the order of the calls, and stored once however often it was sent. An error that is `uncertain` may
   * have stored it. An ephemeral message is rejected at once where there is no connection.
   */
  publish(data: unknown, options: PublishOptions = {}): Promise<Published> {
    return this.#host.outbox.publish(this.name_, data, options);
  }

  /**
   * Reads a part of the room's log; nothing else changes by it. A position that cannot be proven is no error:
   * `refused` says why.
   */
  async history(options: HistoryOptions = {}): Promise<History<T>> {
    const reply = await this.#ask("history", options);
    return {
      messages: (reply.messages ?? []).map(unpack),
      pos: reply.pos,
      more: !!reply.more,
      refused: reply.reason,
    };
  }

  /** Asks who is in the room. With the option `presence`, `members` knows without asking. */
  async presence(options: PresenceOptions = {}): Promise<PresencePage> {
    const reply = await this.#ask("presence", options);
    return { count: reply.count, members: reply.members ?? [], next: reply.next };
  }

  /**
   * Replaces the user's own data, any JSON value. It holds over lost connections. It needs a WebSocket: over another
   * `Status.transport` the error is `unsupported`.
   */
  async setState(state: unknown): Promise<void> {
    const before = this.#options.state;
    this.#options.state = state;
    try {
      await this.#ask("state", { state });
    } catch (error) {
      if (this.#options.state === state) {
        this.#options.state = before;
      }
      throw error;
    }
  }

  /** Leaves the room, at once for the application; resolves when the server knows. */
  leave(): Promise<void> {
    return new Promise((resolve) => {
      const { link_: link } = this.#host.connection;
      if (this.stage === "left" || !link?.ask({ type: "leave", room: this.name_ }, undefined, () => resolve())) {
        resolve();
      }
      this.end();
    });
  }

  /** Iterates over what comes from now on. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Message<T> | Gap> {
    return read(this);
  }

  #ask(type: string, fields: object): Promise<Envelope> {
    return this.#host.calls.ask({ ...fields, type, room: this.name_ }, true);
  }

  /** @internal Asks the server to let the client in, where the room stands. */
  join(): void {
    const since = this.position ?? this.#options.since;
    const { presence, state } = this.#options;
    const last = since ? undefined : this.#options.last;
    const { link_: link } = this.#host.connection;
    const envelope = { type: "join", room: this.name_, since, last, presence, state };
    const sent = link?.ask(envelope, undefined, (reply, error) => {
      if (!reply || this.stage !== "joining" || link !== this.#host.connection.link_) {
        return;
      }
      if (!error) {
        this.#joined(reply);
      } else if (error.retryable) {
        this.#timer = setTimeout(() => this.join(), retryWait(error, this.#tries++));
      } else {
        this.end(error);
      }
    });
    if (link && !sent) {
      this.end(tooLarge());
    }
  }

  #joined(reply: Envelope): void {
    this.stage = "joined";
    this.#tries = 0;
    const reason = reply.reason ?? (this.#moved ? "epoch" : undefined);
    this.#moved = false;
    this.position = reply.pos ?? this.position;
    const joined: Joined = { pos: reply.pos, head: reply.head, count: reply.count };
    this.#settle.resolve(joined);
    this.emit("joined", joined);
    if (reason) {
      this.emit("gap", { type: "gap", room: this.name_, reason, pos: reply.pos });
    }
    if (reply.present !== undefined) {
      this.#roster.list(reply.present, reply.members ?? []);
      this.emit("presence", this.#roster.presence);
      this.#list(0);
    }
  }

  /** @internal Takes what the server sends of this room. */
  received(e: Envelope): void {
    if (this.stage !== "joined") {
      return;
    }
    switch (e.type) {
      case "message":
        this.#message(unpack(e as unknown as Message<T>));
        break;
      case "gap":
        this.position = e.pos;
        this.emit("gap", e as unknown as Gap);
        break;
      case "kicked":
        this.end(new WireroomError("kicked", `kicked for ${e.for} s: ${e.reason}`, { retryAfterMs: e.for * 1000 }));
        break;
      default:
        if (this.#roster.apply(e)) {
          this.emit("presence", this.#roster.presence);
          this.#list(1000);
        }
        if (e.type === "state") {
          this.emit("state", { room: e.room, user: e.user, state: e.state });
        }
    }
  }

  #message(m: Message<T>): void {
    const { pos } = m;
    const { position } = this;
    const steps = distance(pos, position);
    if (steps <= 0) {
      return;
    }
    if (!steps) {
      this.emit("gap", { type: "gap", room: this.name_, reason: "epoch", pos: position as Position });
    }
    this.position = pos ?? position;
    this.emit("message", m);
  }

  /** Fetches the list of users after about so many milliseconds, if what is known is not all. */
  #list(afterMs: number): void {
    if (this.#listing || !this.#roster.incomplete) {
      return;
    }
    this.#listing = true;
    setTimeout(async () => {
      try {
        let next: string | undefined;
        do {
          const page = await this.presence({ next });
          this.#roster.list(page.count, page.members, !!next);
          next = page.next;
        } while (next && this.stage === "joined");
        this.emit("presence", this.#roster.presence);
      } catch {
        // The list stays as it is until something changes.
      }
      this.#listing = false;
    }, afterMs * (0.5 + Math.random()));
  }

  /** @internal Takes note that the connection was lost. */
  disconnected(): void {
    clearTimeout(this.#timer);
    this.#tries = 0;
    if (this.stage === "joined") {
      this.stage = "joining";
    }
  }

  /** @internal The one room stands for another inbox from now on. */
  rename(name: string): void {
    if (this.name_ && this.name_ !== name) {
      this.position = this.#options.since = undefined;
      this.#moved = true;
    }
    this.name_ = name;
  }

  /** @internal Ends the room. */
  end(error?: WireroomError): void {
    if (this.stage !== "left") {
      clearTimeout(this.#timer);
      this.stage = "left";
      this.error = error;
      this.#host.forget(this);
      this.#settle.reject(error ?? new WireroomError("left", "the room was left"));
      this.emit("left", error);
    }
  }
}
