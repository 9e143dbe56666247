import type { BackoffOptions } from "./backoff.js";
import type { WireroomError } from "./errors.js";
import type { Position } from "./position.js";

/** What the client needs of a WebSocket class: the browser's own has it, and `ws` and others of Node. */
export interface SocketLike {
  /** How it is carried. Default: `websocket`. */
  readonly transport?: Transport;
  binaryType: string;
  readonly readyState: number;
  readonly bufferedAmount: number;
  onopen: ((event: any) => void) | null;
  onmessage: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}

/** A WebSocket class. */
export type SocketClass = new (url: string, protocols?: string[]) => SocketLike;

/** How a connection is carried: by a WebSocket, or over plain HTTP by server-sent events or long polls, with POST. */
export type Transport = "websocket" | "sse" | "poll";

/** How a client connects and behaves. Every option may be left out. Times are in milliseconds. */
export interface ConnectOptions {
  /**
   * Who the client is: a token, or a function that returns one, which is called at first, when the server has refused
   * the one before, and when that is about to expire. No token is an anonymous client: the server makes up a user, and
   * the client comes back as the same user for as long as it lives. What the function throws counts as a failed attempt.
   */
  token?: string | (() => string | undefined | Promise<string | undefined>);
  /** The display name of an anonymous client, at most 128 bytes. It is not verified. */
  name?: string;
  /** The class to connect with. Default: the global `WebSocket`; Node 20 has none, there give that of `ws`. */
  WebSocket?: SocketClass;
  /**
   * Which ways to connect there are, best first. One that is blocked, by a proxy for example, is followed by the next;
   * a better one is tried again from time to time. Default: all, in the order of `Transport`. All but `websocket` are
   * loaded when they are needed.
   */
  transports?: Transport[];
  /** How to join the client's own inbox; `false` stays out of it. */
  inbox?: RoomOptions | false;
  /** When to come back. */
  backoff?: BackoffOptions;
  /** Closes the client after so many failures in a row, with the error of the last. Default: never. */
  maxAttempts?: number;
  /**
   * Bounds one attempt to connect, up to the welcome. Default 15,000, and 5,000 for the first, as some proxies swallow
   * what they do not know.
   */
  connectTimeoutMs?: number;
  /** Bounds `request`, `history` and the like. Default 30,000. */
  requestTimeoutMs?: number;
  /**
   * How long a publish is tried. Default 120,000; at most 240,000, as a server recognises what it has stored already for
   * five minutes.
   */
  retryForMs?: number;
  /** Bounds the publishes that are not settled. Default 1,024 and 8 MiB. */
  maxOutbox?: number;
  maxOutboxBytes?: number;
  /**
   * What a publish does for which the outbox has no place: `reject` (the default) with `outbox_full`, or `wait` for
   * its turn, within `retryForMs`. Waiting bounds nothing by itself: await each publish then, or `drain()`.
   */
  whenFull?: "reject" | "wait";
  /**
   * Back-pressure: nothing more is written while the socket has not sent `highWaterBytes` of what it was given, until
   * only `lowWaterBytes` are left. Default 1 MiB and 256 KiB.
   */
  highWaterBytes?: number;
  lowWaterBytes?: number;
}

/** `connecting` until there is a connection, and again when it was lost; `closed` for good. */
export type ConnectionState = "connecting" | "open" | "closed";

/** The state of a client. */
export interface Status {
  readonly state: ConnectionState;
  /** Failures in a row, of attempts and of connections that did not last. */
  readonly failures: number;
  /** While open: how the connection is carried. */
  readonly transport?: Transport;
  /** While waiting: the milliseconds until the next attempt, from the moment of the event on. */
  readonly retryMs?: number;
  /** Why the last connection ended, or the last attempt failed. */
  readonly error?: WireroomError;
}

/** The server's greeting. Durations are in seconds, as in the protocol. */
export interface Welcome {
  /** Names this connection. */
  client: string;
  user: string;
  /** The user's own room. */
  inbox: string;
  /** Of an anonymous user: with it the same user comes back, in another page too. */
  token?: string;
  node: string;
  protocol: number;
  ping_interval: number;
  max_message: number;
  durability: "memory" | "disk" | "engine";
  /** Users connected to this node. */
  users: number;
  ts: number;
}

/** Who sent a message. The server says so, not the sender. */
export interface Sender {
  user: string;
  client?: string;
  /** The display name; that of an anonymous user is not verified, nor unique. */
  name?: string;
}

/** A message of a room. `T` is the application's word for what it expects as `data`; nothing checks it. */
export interface Message<T = any> {
  type: "message";
  room: string;
  /** Absent from an ephemeral message. */
  pos?: Position;
  from: Sender;
  /** Unix time in milliseconds, of the server. */
  ts: number;
  /** What was published: a JSON value, or a `Uint8Array` for bytes. */
  data: T;
  event?: string;
  key?: string;
}

/** Messages of a room were missed for good: reload what is shown. Messages after `pos` follow. */
export interface Gap {
  type: "gap";
  room: string;
  reason: "expired" | "epoch" | "diverged" | "too_many" | "lagged";
  pos: Position;
}

/** The client is in a room now, for the first time or again. */
export interface Joined {
  /** Where delivery starts from. */
  pos: Position;
  /** The newest position of the room. */
  head: Position;
  /** How many messages follow up to `head`. */
  count: number;
}

/** Somebody in a room. */
export interface Member {
  user: string;
  name?: string;
  state?: any;
}

/** Who is in a room. */
export interface Presence {
  /** How many users. */
  readonly count: number;
  /** Who they are, in the order of their coming; empty above 200, where the server tells the number alone. */
  readonly members: readonly Member[];
}

/** A user's own data in a room has changed. */
export interface StateChange {
  room: string;
  user: string;
  state: any;
}

/** How to join a room. `since` and `last` exclude each other; without them only what comes after the join is delivered. */
export interface RoomOptions {
  /** Continue after this position, of an earlier `Message`, `Gap` or `Room.position`. */
  since?: Position;
  /** Begin with the newest messages, so many of them. */
  last?: number;
  /** Keep track of who is in the room. */
  presence?: boolean;
  /**
   * The user's own data, any JSON value, which everyone sees who keeps track. While the connection is no WebSocket there
   * is none.
   */
  state?: unknown;
}

/** How to publish. */
export interface PublishOptions {
  /** The application's name for the message, at most 64 bytes. */
  event?: string;
  /** False keeps the live copy from this connection. History and replay contain the message. Default true. */
  echo?: boolean;
  /** Not stored, without a position, and sent once or not at all. */
  ephemeral?: boolean;
  /**
   * Names the message for the application, at most 64 bytes: within 5 minutes the server stores one message of a user, a
   * room and a key, whoever sends it. Such a message waits until what is in front of it is settled.
   */
  key?: string;
}

/** Where a message was stored. */
export interface Published {
  /** Absent for an ephemeral message, and for one that was stored long before and only now acknowledged. */
  pos?: Position;
  /** The server's time, in Unix milliseconds; 0 where `pos` is absent though the message was stored. */
  ts: number;
}

/** Which part of a log to read: the newest, those after `since`, or the newest before `before`. */
export interface HistoryOptions {
  since?: Position;
  before?: Position;
  /** At most 500. */
  limit?: number;
}

/** A part of a log, oldest first. */
export interface History<T = any> {
  messages: Message<T>[];
  /** Where the list ends. */
  pos: Position;
  /** The log has further messages: newer ones with `since`, otherwise older ones. */
  more: boolean;
  /** Why nothing is read: `since` or `before` cannot be proven to be of this log. `pos` is the head then. */
  refused?: Gap["reason"];
}

/** Which part of the list of a room's users to read. */
export interface PresenceOptions {
  /** At most 100. */
  limit?: number;
  /** Continues an earlier list: its `next`. */
  next?: string;
}

/** A part of the list of a room's users, in the order of their names. */
export interface PresencePage {
  count: number;
  members: Member[];
  /** There are further ones. */
  next?: string;
}
