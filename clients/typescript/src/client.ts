import { Calls } from "./calls.js";
import { Connection } from "./connection.js";
import { Emitter } from "./emitter.js";
import { WireroomError, refusal } from "./errors.js";
import { Outbox } from "./outbox.js";
import { Room, type RoomHost } from "./room.js";
import type {
  ConnectOptions, ConnectionState, History, HistoryOptions, PresenceOptions, PresencePage, PublishOptions, Published, RoomOptions,
  Status, Welcome,
} from "./types.js";
import { type Envelope, encode, inboxOf } from "./wire.js";

/** What a client tells its listeners. */
export interface ClientEvents {
  /** The state of the connection has changed, or an attempt has failed. */
  state: Status;
  /** An envelope of a type of the application's own, which the server sent unasked. */
  push: { type: string; data?: any };
  /** An error that belongs to no request. */
  error: WireroomError;
}

/** The longest time for which a publish may be tried: a server recognises what it has stored for five minutes. */
const longestRetryForMs = 240_000;

/** The types of requests that the protocol gives a meaning to. */
const ownTypes = /^(auth|join|leave|publish|presence|state|history|ping|pong)$/;

/** The types of what the server sends of a room. */
const ofRooms = /^(message|gap|kicked|user_joined|user_left|presence|state)$/;

/**
 * A client of a Wireroom server. It keeps itself connected, rejoins its rooms where they stood, and sends again what was
 * not acknowledged, until `close()`, or until the server sends it away for good.
 */
export class Client extends Emitter<ClientEvents> {
  /** Resolves with the first welcome; rejects when the client was closed before. */
  readonly ready: Promise<Welcome>;
  /** The user's own room, with private messages. The client joins it by itself, unless the option `inbox` is false. */
  readonly inbox: Room;
  readonly #connection: Connection;
  readonly #calls: Calls;
  readonly #outbox: Outbox;
  readonly #host: RoomHost;
  #rooms = new Map<string, Room>();
  #welcome?: Welcome;

  /** @internal */
  constructor(address: string, options: ConnectOptions) {
    super();
    let settle!: { resolve(welcome: Welcome): void; reject(error: WireroomError): void };
    this.ready = new Promise((resolve, reject) => {
      settle = { resolve, reject };
    });
    // Whoever does not look at it is told by the event.
    this.ready.catch(() => {});
    this.#connection = new Connection(address, options, {
      opened: (welcome) => {
        this.#opened(welcome);
        settle.resolve(welcome);
      },
      received: (envelope) => this.#received(envelope),
      lost: () => this.#lost(),
      changed: (status) => {
        if (status.state === "closed") {
          settle.reject(status.error as WireroomError);
          this.#closed(status.error as WireroomError);
        }
        this.emit("state", status);
      },
    });
    this.#calls = new Calls(this.#connection, options.requestTimeoutMs ?? 30_000);
    this.#outbox = new Outbox(this.#connection, options);
    this.#host = {
      connection: this.#connection,
      calls: this.#calls,
      outbox: this.#outbox,
      forget: (room) => {
        if (this.#rooms.get(room.name) === room) {
          this.#rooms.delete(room.name);
        }
      },
    };
    this.inbox = new Room(this.#host, "", options.inbox || {});
    if (options.inbox === false) {
      this.inbox.end();
    }
  }

  /** The state of the connection. */
  get status(): Status {
    return this.#connection.status;
  }

  /** `connecting`, `open` or `closed`. */
  get state(): ConnectionState {
    return this.status.state;
  }

  /** The newest greeting of the server: who the client is. */
  get welcome(): Welcome | undefined {
    return this.#welcome;
  }

  /** The user, since the first welcome. */
  get user(): string | undefined {
    return this.#welcome?.user;
  }

  /** How many bytes the socket was given and has not sent. */
  get bufferedAmount(): number {
    return this.#connection.link_?.bufferedAmount ?? 0;
  }

  /** How many publishes are not settled. */
  get outboxSize(): number {
    return this.#outbox.size;
  }

  /**
   * Joins a room, now or as soon as there is a connection. A room that the client is in already is returned as it is,
   * and the options mean nothing then. Listeners that are added at once miss nothing. Throws a `TypeError` for
   * options that exclude each other, and the error that closed the client.
   */
  room<T = any>(name: string, options: RoomOptions = {}): Room<T> {
    if (options.since !== undefined && options.last !== undefined) {
      throw new TypeError("both since and last");
    }
    if (this.state === "closed") {
      throw this.status.error;
    }
    let room = this.#rooms.get(name);
    if (!room) {
      room = new Room<T>(this.#host, name, options);
      this.#rooms.set(name, room);
      room.join();
    }
    return room;
  }

  /** Publishes to a room without joining it: see `Room.publish`. */
  publish(room: string, data: unknown, options: PublishOptions = {}): Promise<Published> {
    return this.#outbox.publish(room, data, options);
  }

  /** Reads a part of a room's log without joining it: see `Room.history`. */
  history<T = any>(room: string, options?: HistoryOptions): Promise<History<T>> {
    return new Room<T>(this.#host, room, {}).history(options);
  }

  /** Asks who is in a room without joining it: see `Room.presence`. */
  presence(room: string, options?: PresenceOptions): Promise<PresencePage> {
    return new Room(this.#host, room, {}).presence(options);
  }

  /** Sends a private message: publishes to the user's inbox. It reaches every connection of that user, later ones too. */
  send(user: string, data: unknown, options: PublishOptions = {}): Promise<Published> {
    return this.publish(inboxOf(user), data, options);
  }

  /**
   * Sends a request of a type of the application's own, with any JSON value, bytes, or nothing, and resolves with the
   * data of the answer. It waits for a connection; when that is lost before the answer came, the error is
   * `disconnected` and `uncertain`, as nobody but the application knows whether the request may be sent twice.
   */
  async request<Reply = any>(type: string, data?: unknown): Promise<Reply> {
    if (ownTypes.test(type)) {
      throw new TypeError(`${type} is a type of the protocol`);
    }
    const payload = data === undefined ? undefined : encode(data);
    const { data: answer } = await this.#calls.ask({ type }, false, payload);
    return answer;
  }

  /** Resolves when there is place for more publishes: the way for a fast publisher to follow a slow network. */
  drain(): Promise<void> {
    return this.#outbox.drain();
  }

  /** Resolves when every publish is settled. Before `close()`, it loses nothing. */
  flush(): Promise<void> {
    return this.#outbox.flush();
  }

  /** Looks at once whether the connection is alive, or tries at once to have one, unless the server has told when. */
  wake(): void {
    this.#connection.wake();
  }

  /** Ends the client for good. What is not settled is rejected with the code `closed`. */
  close(): void {
    this.#connection.close(new WireroomError("closed", "the client was closed"));
  }

  #opened(welcome: Welcome): void {
    this.#welcome = welcome;
    if (this.inbox.stage !== "left") {
      this.#rooms.delete(this.inbox.name);
      this.#rooms.get(welcome.inbox)?.end(new WireroomError("left", "this is the inbox"));
      this.inbox.rename(welcome.inbox);
      this.#rooms.set(welcome.inbox, this.inbox);
    }
    for (const room of this.#rooms.values()) {
      room.join();
    }
    this.#calls.opened();
    this.#outbox.opened();
  }

  #received(envelope: Envelope): void {
    if (ofRooms.test(envelope.type)) {
      this.#rooms.get(envelope.room)?.received(envelope);
    } else if (envelope.type === "error") {
      this.emit("error", refusal(envelope as never));
    } else if (envelope.type !== "ok" && envelope.type !== "pong") {
      this.emit("push", envelope);
    }
  }

  #lost(): void {
    for (const room of this.#rooms.values()) {
      room.disconnected();
    }
    this.#outbox.disconnected();
  }

  #closed(error: WireroomError): void {
    this.#calls.closed(error);
    this.#outbox.closed(error);
    const wanted = error.code === "closed";
    for (const room of [...this.#rooms.values(), this.inbox]) {
      room.end(wanted ? undefined : error);
    }
  }
}

/**
 * Connects to a server, such as `connect("wss://example.com/ws")`, and returns the client at once, while it is
 * connecting. A path alone is one of the page's own server; `http` stands for `ws`. Throws a `TypeError` for an address
 * that is none, and a `RangeError` for an option out of its range.
 */
export function connect(url: string | URL, options: ConnectOptions = {}): Client {
  const address = new URL(url, globalThis.location?.href);
  address.protocol = address.protocol.replace(/^http/, "ws");
  address.hash = "";
  if (!/^wss?:$/.test(address.protocol)) {
    throw new TypeError(`${address.protocol} is no WebSocket`);
  }
  // A page cannot see the pings of the WebSocket protocol.
  address.searchParams.set("heartbeat", "json");
  if (options.name) {
    address.searchParams.set("name", options.name);
  }
  if ((options.retryForMs ?? 0) > longestRetryForMs) {
    throw new RangeError(`retryForMs is above ${longestRetryForMs}`);
  }
  return new Client(address.href, options);
}
