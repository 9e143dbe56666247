import { vi } from "vitest";
import { type Client, type ConnectOptions, type SocketLike, type Welcome, connect } from "../../src/index.js";

/** A socket whose other end is the test. */
export class FakeSocket implements SocketLike {
  readyState = 0;
  bufferedAmount = 0;
  binaryType = "blob";
  onopen: ((event: any) => void) | null = null;
  onmessage: ((event: any) => void) | null = null;
  onerror: ((event: any) => void) | null = null;
  onclose: ((event: any) => void) | null = null;
  /** Every frame that the client has sent, text parsed. */
  readonly sent: any[] = [];
  /** The code with which the client has closed. */
  closedWith?: number;
  /** Called with every envelope that the client sends. */
  answer?: (envelope: any, socket: FakeSocket) => void;
  readonly url: string;
  readonly protocols: string[];

  constructor(url: string, protocols: string | string[] = []) {
    this.url = url;
    this.protocols = [protocols].flat();
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    if (this.readyState !== 1) {
      throw new Error("the socket is not open");
    }
    const frame = typeof data === "string" ? JSON.parse(data) : data;
    this.sent.push(frame);
    this.answer?.(frame, this);
  }

  close(code?: number): void {
    this.readyState = 2;
    this.closedWith = code;
  }

  /** Lets the handshake succeed. */
  open(): this {
    this.readyState = 1;
    this.onopen?.({});
    return this;
  }

  /** Lets the client in. */
  welcome(fields: Partial<Welcome> = {}): this {
    if (this.readyState === 0) {
      this.open();
    }
    return this.push({
      type: "welcome",
      client: "c1",
      user: "alice",
      inbox: "@alice",
      node: "n1",
      protocol: 1,
      ping_interval: 25,
      max_message: 65536,
      durability: "memory",
      users: 1,
      ts: 1,
      ...fields,
    });
  }

  /** Sends an envelope to the client. */
  push(envelope: object): this {
    this.onmessage?.({ data: JSON.stringify(envelope) });
    return this;
  }

  /** Ends the connection as the server, or the network by default. */
  drop(code = 1006, reason = ""): void {
    this.readyState = 3;
    this.onclose?.({ code, reason, wasClean: code !== 1006 });
  }

  /** Returns what the client sent of a type. */
  of(type: string): any[] {
    return this.sent.filter((frame) => frame.type === type);
  }

  /** Answers the newest request of a type for a room. */
  ok(type: string, fields: object = {}, room?: string): this {
    const request = this.of(type)
      .filter((frame) => room === undefined || frame.room === room)
      .at(-1);
    return this.push({ type: "ok", id: request.id, of: type, room, ...fields });
  }

  /** Refuses the newest request of a type. */
  refuse(type: string, code: string, fields: object = {}): this {
    const request = this.of(type).at(-1);
    return this.push({ type: "error", id: request.id, of: type, code, message: code, retryable: false, ...fields });
  }
}

/** The other end of a client: every socket that it makes. */
export class FakeServer {
  readonly sockets: FakeSocket[] = [];
  /** No page may make a socket. */
  forbidden = false;
  /** Given to each new socket. */
  answer?: (envelope: any, socket: FakeSocket) => void;
  readonly WebSocket: new (url: string, protocols?: string | string[]) => FakeSocket;

  constructor() {
    const { sockets } = this;
    const answer = (envelope: any, socket: FakeSocket) => this.answer?.(envelope, socket);
    const check = () => {
      if (this.forbidden) {
        throw new DOMException("forbidden", "SecurityError");
      }
    };
    this.WebSocket = class extends FakeSocket {
      constructor(url: string, protocols?: string | string[]) {
        super(url, protocols);
        check();
        this.answer = answer;
        sockets.push(this);
      }
    };
  }

  /** The newest socket. */
  get socket(): FakeSocket {
    return this.sockets.at(-1) as FakeSocket;
  }

  /** Connects a client, up to where its socket is connecting. */
  async client(options: ConnectOptions = {}): Promise<Client> {
    const client = connect("ws://server.test/ws", { WebSocket: this.WebSocket, transports: ["websocket"], ...options });
    await settle();
    return client;
  }

  /** Connects a client and lets it in. It stays out of its inbox unless it is told otherwise. */
  async open(options: ConnectOptions = {}): Promise<Client> {
    const client = await this.client({ inbox: false, ...options });
    this.socket.welcome();
    return client;
  }

  /** Waits for the next socket after the newest, and returns it, still connecting. */
  async next(): Promise<FakeSocket> {
    const count = this.sockets.length;
    while (this.sockets.length === count) {
      await vi.advanceTimersToNextTimerAsync();
    }
    return this.socket;
  }
}

/** Lets promises go on. */
export async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

/** Returns what a promise has come to so far. */
export async function outcome(promise: Promise<unknown>): Promise<unknown> {
  return Promise.race([promise.catch((error) => error), settle().then(() => "pending")]);
}

/** Returns an `ok` of a join. */
export function joinReply(envelope: any, pos = "aaaaaaaa.0.00000000", fields: object = {}): object {
  const recovered = envelope.since === undefined ? undefined : true;
  return { type: "ok", id: envelope.id, of: "join", room: envelope.room, pos, head: pos, count: 0, recovered, ...fields };
}

/** Returns a message. */
export function message(room: string, pos: string | undefined, data: unknown): object {
  return { type: "message", room, pos, from: { user: "bob", client: "c9" }, ts: 1, data };
}
