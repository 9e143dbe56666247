import { Backoff, type BackoffOptions } from "./backoff.js";
import { Alarm, clock } from "./clock.js";
import { judge } from "./closing.js";
import { SendQueue, type Sendable, copyOf } from "./sendqueue.js";
import { onWake } from "./wake.js";

export type { BackoffOptions } from "./backoff.js";

/** What is asked of the class that makes the connections; the browser's own has it, and `ws` of Node. */
export type WebSocketClass = new (url: string, protocols?: string | string[]) => any;

/** A message that is sent when nothing was heard for a while, so that a dead connection is noticed. */
export interface Heartbeat {
  /** What to send; the server must answer it with anything. */
  message: string | (() => string);
  /** After so much silence. Default 30,000. */
  everyMs?: number;
  /** How long the server may take to send anything at all. Default 5,000. */
  withinMs?: number;
}

/** How a `ReconnectingWebSocket` behaves. Times are in milliseconds. */
export interface ReconnectOptions {
  /** The class to connect with. Default: the global `WebSocket`. */
  WebSocket?: WebSocketClass;
  /** When to come back. */
  backoff?: BackoffOptions;
  /** Gives up after so many failures in a row. Default: never. */
  maxAttempts?: number;
  /** Bounds one attempt to connect. Default 15,000. */
  connectTimeoutMs?: number;
  /** Bounds what waits to be sent. Default 1,024 and 8 MiB. */
  maxQueue?: number;
  maxQueueBytes?: number;
  /**
   * Whether to come back after a close with this code. Default: not after 1000, 1002, 1003, 1007, 1008, 1009 and 4400 to
   * 4499.
   */
  shouldReconnect?: (code: number, reason: string) => boolean;
  /** Default: none, as only the application knows what its server answers. */
  heartbeat?: Heartbeat;
}

/** The connection ended, as told by a close frame or seen by the network (1006). */
class Closed extends Event implements CloseEvent {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;

  constructor(type: string, code: number, reason: string, wasClean: boolean) {
    super(type);
    this.code = code;
    this.reason = reason;
    this.wasClean = wasClean;
  }
}

/** The event `reconnecting`: the connection was lost, and there will be another one. */
export class ReconnectingEvent extends Closed {
  /** How many failures there were in a row. */
  readonly failures: number;
  /** Milliseconds until the next attempt. */
  readonly delayMs: number;

  constructor(code: number, reason: string, failures: number, delayMs: number) {
    super("reconnecting", code, reason, false);
    this.failures = failures;
    this.delayMs = delayMs;
  }
}

/** The events of a `ReconnectingWebSocket`. */
export interface ReconnectingEventMap extends WebSocketEventMap {
  reconnecting: ReconnectingEvent;
}

const [connecting, open, closing, closed] = [0, 1, 2, 3] as const;

/**
 * A `WebSocket` that comes back: the same constructor, methods, properties, events and close codes, for any server. What
 * differs:
 *
 * - A lost connection is no `close`: `readyState` is `CONNECTING` again, the event `reconnecting` tells why and for how
 *   long, and `open` comes once more, for an application that has to greet its server again.
 * - `close` comes once, when the application has closed, the server has closed for good, or `maxAttempts` have failed.
 * - `send` queues while there is no connection, in bounds: beyond them it throws a `QuotaExceededError`. What is queued
 *   goes out after the listeners of `open` have run. What was handed to a connection that then broke may be lost; a
 *   WebSocket cannot know.
 * - The address may be a function, which is asked before each attempt.
 *
 * `import WebSocket from "wireroom/websocket"` is all that has to be changed.
 */
export class ReconnectingWebSocket extends EventTarget implements WebSocket {
  static readonly CONNECTING = connecting;
  static readonly OPEN = open;
  static readonly CLOSING = closing;
  static readonly CLOSED = closed;
  readonly CONNECTING = connecting;
  readonly OPEN = open;
  readonly CLOSING = closing;
  readonly CLOSED = closed;

  onopen: ((this: WebSocket, event: Event) => any) | null = null;
  onmessage: ((this: WebSocket, event: MessageEvent) => any) | null = null;
  onerror: ((this: WebSocket, event: Event) => any) | null = null;
  onclose: ((this: WebSocket, event: CloseEvent) => any) | null = null;
  /** For the event `reconnecting`. */
  onreconnecting: ((this: WebSocket, event: ReconnectingEvent) => any) | null = null;

  readonly #address: string | URL | (() => string | URL | Promise<string | URL>);
  readonly #protocols: string | string[] | undefined;
  readonly #options: ReconnectOptions;
  readonly #backoff: Backoff;
  readonly #now = clock();
  readonly #retry = new Alarm(() => void this.#attempt());
  readonly #impatience = new Alarm(() => this.#ended(1006, "", false));
  readonly #beat = new Alarm(() => this.#look());
  readonly #endWake: () => void;
  readonly #queue: SendQueue;
  #socket?: WebSocket;
  #state: 0 | 1 | 2 | 3 = connecting;
  #binaryType: BinaryType = "blob";
  #url = "";
  #openedAt?: number;
  #heardAt = 0;
  /** When a sign of life was asked for since then; Infinity for not. */
  #askedAt = Infinity;
  /** The server told when to come back, which nothing makes earlier. */
  #waitIsTold = false;
  #attempts = 0;

  /** Throws what the constructor of `WebSocket` throws, and connects. */
  constructor(
    url: string | URL | (() => string | URL | Promise<string | URL>),
    protocols?: string | string[],
    options: ReconnectOptions = {},
  ) {
    super();
    this.#address = url;
    this.#protocols = protocols;
    this.#options = options;
    this.#backoff = new Backoff(options.backoff);
    this.#queue = new SendQueue(options.maxQueue ?? 1024, options.maxQueueBytes ?? 8 << 20);
    for (const type of ["open", "message", "error", "close", "reconnecting"] as const) {
      super.addEventListener(type, (event) => this[`on${type}`]?.(event as never));
    }
    if (typeof url === "function") {
      void this.#attempt();
    } else {
      this.#dial(url);
    }
    this.#endWake = onWake(() => this.#woke());
  }

  get readyState(): 0 | 1 | 2 | 3 {
    return this.#state;
  }

  get url(): string {
    return this.#url;
  }

  get protocol(): string {
    return this.#socket?.protocol ?? "";
  }

  get extensions(): string {
    return this.#socket?.extensions ?? "";
  }

  /** What is queued here and in the socket, in bytes. */
  get bufferedAmount(): number {
    return this.#queue.bytes + (this.#socket?.bufferedAmount ?? 0);
  }

  get binaryType(): BinaryType {
    return this.#binaryType;
  }

  set binaryType(type: BinaryType) {
    this.#binaryType = type;
    if (this.#socket) {
      this.#socket.binaryType = type;
    }
  }

  override addEventListener<Type extends keyof ReconnectingEventMap>(
    type: Type,
    listener: (this: WebSocket, event: ReconnectingEventMap[Type]) => any,
    options?: boolean | AddEventListenerOptions,
  ): void;
  override addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
  override addEventListener(type: string, listener: any, options?: boolean | AddEventListenerOptions): void {
    super.addEventListener(type, listener, options);
  }

  override removeEventListener<Type extends keyof ReconnectingEventMap>(
    type: Type,
    listener: (this: WebSocket, event: ReconnectingEventMap[Type]) => any,
    options?: boolean | EventListenerOptions,
  ): void;
  override removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | EventListenerOptions,
  ): void;
  override removeEventListener(type: string, listener: any, options?: boolean | EventListenerOptions): void {
    super.removeEventListener(type, listener, options);
  }

  /** Sends, or queues until there is a connection. After `close` it does nothing, as a `WebSocket` does. */
  send(data: Sendable): void {
    if (this.#state === open && this.#socket?.readyState === open) {
      this.#socket.send(data as string);
    } else if (this.#state <= open) {
      this.#queue.push(copyOf(data));
    }
  }

  /** Closes for good. Throws for a code other than 1000 and 3000 to 4999, and for a reason above 123 bytes. */
  close(code?: number, reason = ""): void {
    if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999)) {
      throw new DOMException(`the close code ${code} is neither 1000 nor between 3000 and 4999`, "InvalidAccessError");
    }
    if (new TextEncoder().encode(reason).length > 123) {
      throw new DOMException("the reason is longer than 123 bytes", "SyntaxError");
    }
    if (this.#state >= closing) {
      return;
    }
    this.#state = closing;
    this.#retry.clear();
    this.#queue.clear();
    if (this.#socket) {
      this.#impatience.set(this.#options.connectTimeoutMs ?? 15_000);
      this.#socket.close(code, reason);
    } else {
      queueMicrotask(() => this.#finish(1006, "", false));
    }
  }

  async #attempt(): Promise<void> {
    const attempt = ++this.#attempts;
    this.#retry.clear();
    const address = this.#address;
    try {
      const url = typeof address === "function" ? await address() : address;
      if (attempt === this.#attempts && this.#state === connecting) {
        this.#dial(url);
      }
    } catch {
      if (attempt === this.#attempts && this.#state === connecting) {
        this.dispatchEvent(new Event("error"));
        this.#ended(1006, "", false);
      }
    }
  }

  #dial(url: string | URL): void {
    const Socket = this.#options.WebSocket ?? globalThis.WebSocket;
    const socket: WebSocket = new Socket(String(url), this.#protocols as string[]);
    this.#socket = socket;
    this.#url = socket.url;
    socket.binaryType = this.#binaryType;
    this.#impatience.set(this.#options.connectTimeoutMs ?? 15_000);
    socket.onopen = () => this.#opened();
    socket.onmessage = ({ data, origin }) => {
      this.#heard();
      this.dispatchEvent(new MessageEvent("message", { data, origin: origin ?? "" }));
    };
    socket.onerror = () => this.dispatchEvent(new Event("error"));
    socket.onclose = ({ code, reason, wasClean }) => this.#ended(code, reason, wasClean);
  }

  #opened(): void {
    this.#impatience.clear();
    this.#openedAt = this.#heardAt = this.#now();
    if (this.#state === connecting) {
      this.#state = open;
      this.#listen();
      this.dispatchEvent(new Event("open"));
      if (this.#socket) {
        this.#queue.flush(this.#socket);
      }
    }
  }

  #heard(): void {
    this.#heardAt = this.#now();
    if (this.#askedAt < Infinity) {
      this.#askedAt = Infinity;
      this.#listen();
    }
  }

  /** Takes the end of a connection or of an attempt. */
  #ended(code: number, reason: string, wasClean: boolean): void {
    this.#drop();
    const verdict = judge(code, reason);
    const { shouldReconnect, maxAttempts = Infinity } = this.#options;
    const again = shouldReconnect ? shouldReconnect(code, reason) : verdict.advice !== "stop" && code !== 4401;
    this.#backoff.lasted(this.#openedAt === undefined ? 0 : this.#now() - this.#openedAt);
    this.#openedAt = undefined;
    const ownMs = this.#backoff.next();
    const delayMs = verdict.waitMs ?? ownMs;
    if (this.#state === closing || !again || this.#backoff.failures >= maxAttempts) {
      this.#finish(code, reason, wasClean);
      return;
    }
    this.#state = connecting;
    this.#waitIsTold = verdict.waitMs !== undefined;
    this.#retry.set(delayMs);
    this.dispatchEvent(new ReconnectingEvent(code, reason, this.#backoff.failures, delayMs));
  }

  /** Listens to the socket no more. */
  #drop(): void {
    const socket = this.#socket;
    this.#impatience.clear();
    this.#beat.clear();
    this.#askedAt = Infinity;
    this.#socket = undefined;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      // A socket that is closed while it connects still reports an error, which would be uncaught in Node.
      socket.onerror = () => {};
      if (socket.readyState <= open) {
        socket.close();
      }
    }
  }

  #finish(code: number, reason: string, wasClean: boolean): void {
    if (this.#state !== closed) {
      this.#state = closed;
      this.#queue.clear();
      this.#endWake();
      this.dispatchEvent(new Closed("close", code, reason, wasClean));
    }
  }

  #listen(): void {
    const { heartbeat } = this.#options;
    if (heartbeat) {
      this.#beat.set((heartbeat.everyMs ?? 30_000) - (this.#now() - this.#heardAt));
    }
  }

  /** Looks for a sign of life, asks for one, or gives the connection up. */
  #look(ask = false): void {
    const { message, everyMs = 30_000, withinMs = 5_000 } = this.#options.heartbeat as Heartbeat;
    const now = this.#now();
    if (now < this.#askedAt && !ask && now - this.#heardAt < everyMs) {
      this.#listen();
    } else if (now < this.#askedAt) {
      this.#askedAt = now;
      this.#socket?.send(typeof message === "function" ? message() : message);
      this.#beat.set(withinMs);
    } else if (!ask) {
      this.#ended(1006, "", false);
    }
  }

  #woke(): void {
    if (this.#state === open && this.#options.heartbeat) {
      this.#look(true);
    } else if (this.#state === connecting && !this.#socket && !this.#waitIsTold) {
      void this.#attempt();
    }
  }
}

export default ReconnectingWebSocket;
