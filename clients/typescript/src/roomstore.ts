import type { Client } from "./client.js";
import type { WireroomError } from "./errors.js";
import type { Position } from "./position.js";
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

/** The stores of each client's rooms to which somebody listens; they go with their client. */
const stores = new WeakMap<Client, Map<string, RoomStore>>();

/** A component's place at the store of a room: that to which others listen already, or else the one that it had last. */
export class Seat {
  readonly #client: Client;
  readonly #name: string;
  readonly #options: RoomOptions & { keep?: number };
  readonly #stores: Map<string, RoomStore>;
  #own?: RoomStore;

  constructor(client: Client, name: string, options: RoomOptions & { keep?: number }) {
    this.#client = client;
    this.#name = name;
    this.#options = options;
    this.#stores = stores.get(client) ?? new Map<string, RoomStore>();
    stores.set(client, this.#stores);
  }

  /** Returns what is kept; the same object until something changes. */
  now = (): KeptRoom => this.#store?.now() ?? noRoom;

  /** Calls a listener after each change, and is in the room meanwhile. */
  subscribe = (listener: () => void): (() => void) => {
    const forget = () => this.#stores.delete(this.#name);
    const store = this.#store ?? new RoomStore(this.#client, this.#name, this.#options, forget);
    this.#own = store;
    this.#stores.set(this.#name, store);
    return store.subscribe(listener);
  };

  get #store(): RoomStore | undefined {
    return this.#stores.get(this.#name) ?? this.#own;
  }
}

/** What there is of a room that nobody is in. */
export const noRoom: KeptRoom = { room: undefined, messages: [], gap: undefined, stage: "joining", error: undefined };

/** Is in a room as long as somebody listens, and keeps its newest messages. */
export class RoomStore {
  readonly #client: Client;
  readonly #name: string;
  readonly #options: RoomOptions;
  readonly #keep: number;
  readonly #forget: () => void;
  #kept = noRoom;
  /** Where the room stood when it was left last. */
  #position?: Position;
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
    // Whoever comes back, as a part of a page that was hidden, goes on where it was.
    const { last, since, ...others } = this.#options;
    const room = this.#client.room(this.#name, this.#position ? { ...others, since: this.#position } : this.#options);
    this.#kept = { ...this.#kept, room, stage: room.stage, error: undefined };
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
      this.#position = room.position ?? this.#position;
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
