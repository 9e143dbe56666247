// Where the readings come from: the published client, in the rooms of readings of the node that it is connected to.

import { connect } from "../parts/client/wireroom.js";
import { Series } from "./series.js";

const PAGE = 500; // as many messages as one request may ask for
const PAGES = 32;
const SPAN = 900_000; // milliseconds that the charts show
const EVENT = 64; // bytes of a message's name

/**
 * Phases: connecting; live; offline, with `retryAt` (Unix milliseconds, 0 while an attempt is under way); stopped, with
 * the `code` of the error. Options: rooms; onChange(); token(again), where `again` tells that
 * the one before was refused.
 */
export class Feed {
  phase = "connecting";
  retryAt = 0;
  code = "";
  node = "";
  /** By room: the series, and why one may not be in the room. */
  series = new Map();
  refused = new Map();
  /** How many users look. */
  watching = 0;
  #options;
  #client = null;
  #positions = new Map();

  constructor(options) {
    this.#options = options;
    for (const room of options.rooms) this.series.set(room, new Series());
  }

  /** The time of the newest reading, in Unix milliseconds; 0 while there is none. */
  get newest() {
    return Math.max(0, ...[...this.series.values()].map(({ last }) => last?.ts ?? 0));
  }

  /** Connects now and anew, whatever was being waited for; each room goes on where it stood. */
  start() {
    const before = this.#client;
    this.#client = null;
    before?.close();
    this.phase = "connecting";
    this.refused.clear();
    let again = false;
    const token = () => {
      const offered = this.#options.token(again);
      again = true;
      return offered;
    };
    const client = connect("ws", { token, inbox: false });
    this.#client = client;
    client.on("state", (status) => client === this.#client && this.#changed(status));
    this.#options.rooms.forEach((name, n) => {
      const since = this.#positions.get(name);
      this.#follow(client.room(name, { presence: n === 0, ...(since ? { since } : {}) }));
    });
    this.#options.onChange();
  }

  #changed({ state, failures, retryMs, error }) {
    if (state === "open") {
      this.phase = "live";
      this.#moved(this.#client.welcome.node);
    } else if (state === "closed") {
      this.phase = "stopped";
      this.code = error?.code ?? "";
    } else if (failures > 0 || retryMs !== undefined) {
      this.phase = "offline";
      this.retryAt = retryMs === undefined ? 0 : Date.now() + retryMs;
    }
    this.#options.onChange();
  }

  // Every node tells of its own machine.
  #moved(node) {
    if (this.node !== node) for (const series of this.series.values()) series.clear();
    this.node = node;
  }

  #follow(room) {
    const series = this.series.get(room.name);
    room.on("message", (message) => {
      this.#positions.set(room.name, room.position);
      if (this.#take(series, message)) this.#options.onChange();
    });
    room.on("joined", () => this.#fill(room, series));
    room.on("presence", ({ count }) => {
      this.watching = count;
      this.#options.onChange();
    });
    room.on("left", (error) => {
      if (error) this.refused.set(room.name, error.code);
      this.#options.onChange();
    });
  }

  #take(series, message) {
    return message.event === eventOf(this.node) && series.add(message);
  }

  // What the room's log has of the time before, or of the time that was missed.
  async #fill(room, series) {
    try {
      let page = await room.history({ limit: PAGE });
      this.#all(series, page.messages);
      for (let n = 1; n < PAGES && page.more && page.messages[0].ts > Date.now() - SPAN; n++) { // other nodes tell there, too
        page = await room.history({ limit: PAGE, before: page.messages[0].pos });
        this.#all(series, page.messages);
      }
    } catch {
      // The chart then begins now; the next time in the room tries again.
    }
    this.#options.onChange();
  }

  #all(series, messages) {
    for (const message of messages) this.#take(series, message);
  }
}

// A node's name as the name of a message has it.
function eventOf(node) {
  const encoded = new TextEncoder().encode(node);
  return encoded.length <= EVENT ? node : new TextDecoder().decode(encoded.slice(0, EVENT)).replace(/\uFFFD+$/, "");
}
