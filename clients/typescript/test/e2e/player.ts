import type { Client, Presence, Room, Transport } from "../../src/index.js";
import { WireroomError } from "../../src/index.js";
import { connectTo } from "./kit.js";
import { type Proxy, startProxy } from "./proxy.js";
import type { Json } from "./scenario.js";

/** How long anything may take. It only ends what would never end. */
const patienceMs = 30_000;

/** A client in a scenario: requests are calls of its methods, and what it tells is made envelopes again. */
export class Player {
  readonly name: string;
  readonly #client: Client;
  readonly #proxy: Proxy;
  readonly #rooms = new Map<string, Room>();
  readonly #mail: Json[] = [];
  #arrived?: () => void;
  #gone?: Promise<void>;

  private constructor(name: string, client: Client, proxy: Proxy) {
    this.name = name;
    this.#client = client;
    this.#proxy = proxy;
  }

  /** Connects to a server over a network that can be cut. */
  static async connect(name: string, server: string, transport: Transport, token?: string): Promise<Player> {
    const proxy = await startProxy(Number(new URL(server).port));
    const url = `ws://127.0.0.1:${proxy.port}/ws`;
    const player = new Player(name, connectTo(url, { token, transports: [transport], inbox: false }), proxy);
    await player.#client.ready;
    return player;
  }

  get welcome(): Json {
    return { ...this.#client.welcome, type: "welcome" };
  }

  /** Asks for something, and returns the answer. */
  async ask(request: Json): Promise<Json> {
    const answer = { type: "ok", of: request.type };
    try {
      return defined({ ...answer, ...(await this.#perform(request)) });
    } catch (error) {
      if (!(error instanceof WireroomError)) {
        throw error;
      }
      const { code, field, retryable, message } = error;
      return defined({ ...answer, type: "error", code, field, retryable, message: message.slice(code.length + 2) });
    }
  }

  async #perform({ type, room: name, data, bytes, ...rest }: Json): Promise<Json | void> {
    const room = this.#rooms.get(name);
    switch (type) {
      case "join":
        return this.#join(name, rest);
      case "leave":
        await room?.leave();
        return { room: name };
      case "publish": {
        const payload = bytes === undefined ? data : new Uint8Array(Buffer.from(bytes, "base64"));
        return { room: name, ...(await this.#client.publish(name, payload, rest)) };
      }
      case "history": {
        const { messages, pos, more, refused: reason } = await this.#client.history(name, rest);
        return { room: name, pos, ...(reason ? { recovered: false, reason } : { messages: messages.map(envelopeOf), more }) };
      }
      case "presence":
        return { room: name, ...(await this.#client.presence(name, rest)) };
      case "state":
        await room?.setState(rest.state);
        return;
    }
    return { data: await this.#client.request(type, data) };
  }

  async #join(name: string, options: Json): Promise<Json> {
    const room = this.#client.room(name, options);
    this.#rooms.set(name, room);
    let before: Presence | undefined;
    room.on("message", (message) => this.#push(envelopeOf(message)));
    room.on("gap", (gap) => this.#push({ ...gap }));
    room.on("state", (state) => this.#push({ type: "state", ...state }));
    room.on("left", (error) => {
      if (error?.code === "kicked") {
        this.#push({ type: "kicked", room: name, for: (error.retryAfterMs ?? 0) / 1000 });
      }
    });
    room.on("presence", (now) => {
      if (before) {
        this.#push(...changesOf(name, before, now));
      }
      before = now;
    });
    const joined = await room.joined;
    return { room: name, ...joined, ...(options.presence && { present: room.count, members: room.members }) };
  }

  #push(...envelopes: Json[]): void {
    this.#mail.push(...envelopes.map(defined));
    this.#arrived?.();
  }

  /** Returns what came next unasked; what is not `wanted` is passed over. */
  async next(wanted: (envelope: Json) => boolean = () => true): Promise<Json> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#arrived?.();
    }, patienceMs);
    for (;;) {
      for (let envelope; (envelope = this.#mail.shift()); ) {
        if (wanted(envelope)) {
          clearTimeout(timer);
          return envelope;
        }
      }
      if (late) {
        throw new Error(`${this.name} is told nothing more`);
      }
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
  }

  /** The rooms that it is in. */
  get rooms(): string[] {
    return [...this.#rooms.values()].filter(({ stage }) => stage === "joined").map(({ name }) => name);
  }

  /** Resolves when it has got the last message of a room, and thereby all that came before. */
  async fenced(room: string): Promise<void> {
    const isLast = (envelope: Json) => envelope.type === "message" && envelope.room === room && envelope.data === "fence";
    for (let at = -1; at < 0; ) {
      at = this.#mail.findIndex(isLast);
      if (at >= 0) {
        this.#mail.splice(at, 1);
      } else {
        await new Promise<void>((resolve) => {
          this.#arrived = resolve;
        });
      }
    }
  }

  /** What nobody has looked at. */
  get rest(): Json[] {
    return this.#mail;
  }

  /** Says farewell. */
  close(): void {
    this.#client.close();
  }

  /** Loses its network, for good. */
  async cut(): Promise<void> {
    await (this.#gone ??= this.#proxy.close());
    this.#client.close();
  }
}

/** Returns what a list of users that has changed says of those who came and left. */
function changesOf(room: string, before: Presence, { count, members }: Presence): Json[] {
  const left = before.members.filter(({ user }) => !members.some((one) => one.user === user));
  const came = members.filter(({ user }) => !before.members.some((one) => one.user === user));
  if (count === members.length && before.count === before.members.length) {
    return [
      ...left.map((member) => ({ type: "user_left", room, ...member, count })),
      ...came.map((member) => ({ type: "user_joined", room, ...member, count })),
    ];
  }
  return [{ type: "presence", room, count, ...(count === members.length && { members }) }];
}

/** Returns a message as an envelope: bytes are base64 there. */
function envelopeOf({ data, ...rest }: Json): Json {
  return data instanceof Uint8Array ? { ...rest, bytes: Buffer.from(data).toString("base64") } : { ...rest, data };
}

/** Returns an object without what is undefined. */
function defined(object: Json): Json {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}
