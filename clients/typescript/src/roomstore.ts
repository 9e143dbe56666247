import type { Client } from "./client.js";
import type { WireroomError } from "./errors.js";
import type { Room, RoomStage } from "./room.js";
import type { Gap, Message, RoomOptions } from "./types.js";

/** What is kept of a room, made anew with each change. */
export interface KeptRoom<T = any> {
  room: Room<T> | undefined;
  messages: readonly Message<T>[];
  gap: Gap | undefined;
  stage: RoomStage;
  error: WireroomError | undefined;
}

/** The stores of each client's rooms. They hold no room unless somebody listens, and go with their client. */
const stores = new WeakMap<Client, Map<string, RoomStore>>();

/** Returns the store of a client's room. */
export function storeOf(client: Client, name: string, options: RoomOptions & { keep?: number }): RoomStore {
  const ofClient = stores.get(client) ?? new Map<string, RoomStore>();
  stores.set(client, ofClient);
  const store = ofClient.get(name) ?? new RoomStore(client, name, options, () => ofClient.delete(name));
  ofClient.set(name, store);
  return store;
}

/** Is in a room as long as somebody listens, and keeps its newest messages. */
export class RoomStore {
  readonly #client: Client;
  readonly #name: string;
  readonly #options: RoomOptions;
  readonly #keep: number;
  readonly #forget: () => void;
  #kept: KeptRoom = { room: undefined, messages: [], gap: undefined, stage: "joining", error: undefined };
  #listeners = new Set<() => void>();
  #stop: (() => void)[] = [];
  #arrived: Message[] = [];
  #telling?: ReturnType<typeof setTimeout>;

  constructor(client: Client, name: string, options: RoomOptions & { keep?: number }, forget: () => void) {
    const { keep = 200, ...roomOptions } = options;
    this.#client = client;
    this.#name = name;
    this.#options = roomOptions;
    this.#keep = keep;
    this.#forget = forget;
  }

  /** Returns what is kept; the same object until something changes. */
  now(): KeptRoom {
    return this.#kept;
  }

  /** Calls a listener after each change, and is in the room meanwhile. */
  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    if (!this.#kept.room) {
      this.#enter();
    }
    return () => {
      this.#listeners.delete(listener);
      // A component that is mounted anew in the same turn, as strict mode does, does not leave the room.
      setTimeout(() => this.#leave(), 0);
    };
  };

  #enter(): void {
    if (this.#client.state === "closed") {
      this.#change({ stage: "left", error: this.#client.status.error });
      return;
    }
    const room = this.#client.room(this.#name, this.#options);
    this.#kept = { ...this.#kept, room, stage: room.stage };
    this.#tell();
    this.#stop = [
      room.on("message", (m) => {
        this.#arrived.push(m);
        this.#tell();
      }),
      room.on("gap", (gap) => this.#change({ gap })),
      room.on("joined", () => this.#change({ stage: room.stage })),
      room.on("left", (error) => this.#change({ stage: "left", error })),
      this.#client.on("state", () => this.#change({ stage: room.stage })),
    ];
  }

  #leave(): void {
    const { room } = this.#kept;
    if (this.#listeners.size === 0 && room) {
      for (const stop of this.#stop) {
        stop();
      }
      this.#kept = { ...this.#kept, room: undefined };
      this.#forget();
      void room.leave();
    }
  }

  #change(change: Partial<KeptRoom>): void {
    this.#kept = { ...this.#kept, ...change };
    this.#tell();
  }

  /** Tells the listeners, once for all that comes in one turn: a burst of messages is one render. */
  #tell(): void {
    this.#telling ??= setTimeout(() => {
      this.#telling = undefined;
      if (this.#arrived.length > 0) {
        const messages = [...this.#kept.messages, ...this.#arrived.splice(0)].slice(-this.#keep);
        this.#kept = { ...this.#kept, messages };
      }
      for (const listener of [...this.#listeners]) {
        listener();
      }
    }, 0);
  }
}
