import type { Feed, Wanted } from "./feed.js";
import type { Ending, Host } from "./host.js";
import type { Envelope } from "./wire.js";

/** The most rooms of one stream or poll. */
export const mostRooms = 16;

/** The user's own inbox, whoever that is. */
const ownInbox = "@";

/** What the server sends of those who are in a room, and what else of one. */
const ofPresence = /^(user_joined|user_left|presence|state)$/;
const ofRoom = /^(message|gap|kicked)$/;

/** A room that a client is in, or wants to be in. */
export interface Place {
  readonly room: string;
  readonly presence: boolean;
  /** With how many of the newest messages it begins. */
  readonly last?: number;
  /** The request that waits for the answer to the join. */
  joinId?: number;
  /** Where the client stands, as soon as it is known. */
  pos?: string;
}

/** How a channel calls up. */
export interface ChannelEvents {
  /** An envelope of the server, as its text. */
  received(text: string): void;
  /** The server has greeted: once for each request. */
  welcomed(welcome: Envelope, text: string): void;
  /** A room has no place here: others in here want to know who is present, which cannot be known in that one. */
  misplaced(place: Place): void;
  /** Something came, whatever it was; `first` is the first of a request. */
  alive(first: boolean): void;
  ended(ending: Ending): void;
}

/**
 * Up to 16 rooms that share one stream or poll. A change of the rooms is another request, which goes on where the one
 * before stood; changes that come together are one. Without a room it asks for the inbox, to be greeted.
 */
export class Channel {
  readonly places = new Map<string, Place>();
  readonly #host: Host;
  readonly #feed: Feed;
  readonly #events: ChannelEvents;
  readonly #client: string | undefined;
  #asked?: AbortController;
  /** How many rooms were asked for, and those of them that were not answered. */
  #count = 0;
  #open = new Set<string>();
  #soon?: ReturnType<typeof setTimeout>;
  /** How many polls there were, and the newest of them that was answered. */
  #polls = 0;
  #got = 0;

  /** `client` names whoever polls here, where others poll at the same time. */
  constructor(host: Host, feed: Feed, events: ChannelEvents, client?: string) {
    this.#host = host;
    this.#feed = feed;
    this.#events = events;
    this.#client = client;
  }

  /** Makes the request anew, soon. */
  refresh(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      this.#ask();
    }, 0);
  }

  /** Ends it. */
  end(): void {
    clearTimeout(this.#soon);
    this.#asked?.abort();
  }

  #ask(): void {
    this.#asked?.abort();
    const asked = new AbortController();
    this.#asked = asked;
    // Rooms that begin in different ways cannot begin with one request.
    const all = [...this.places.values()];
    const last = all.find(({ pos }) => pos === undefined)?.last;
    const places = all.filter((place) => place.pos !== undefined || place.last === last);
    this.#count = places.length;
    this.#open = new Set(places.map(({ room }) => room));
    const wanted: Wanted = {
      ...wantedOf(places, last),
      // A room that was left behind meanwhile is not asked for again.
      rooms: () => namesOf(places.filter((place) => this.places.get(place.room) === place)),
      number: () => [++this.#polls, this.#got],
      took: (n) => {
        this.#got = n;
      },
    };
    if (this.#client) {
      wanted.query.push(["client", this.#client]);
    }
    let first = true;
    void this.#feed(this.#host, wanted, asked.signal, {
      alive: () => {
        this.#events.alive(first);
        first = false;
      },
      ended: (ending) => this.#refused(places, ending),
      granted: (first) => this.#granted(places, first),
      envelope: (envelope, text) => this.#take(envelope, text),
    });
  }

  #take(envelope: Envelope, text: string): void {
    const { type, room, pos } = envelope;
    const place = this.places.get(room);
    if (type === "welcome") {
      this.#events.welcomed(envelope, text);
    } else if (place && (type === "ok" || type === "error")) {
      this.#answered(place, envelope);
    } else if (ofPresence.test(type) ? place?.presence : place || !ofRoom.test(type)) {
      if (place && (type === "message" || type === "gap")) {
        place.pos = pos ?? place.pos;
      } else if (place && type === "kicked") {
        this.places.delete(room);
      }
      this.#events.received(text);
    }
  }

  /** Answers for the rooms that go on where they stood, of which a poll tells nothing. */
  #granted(places: Place[], first: Envelope[]): void {
    for (const place of places) {
      const { room, pos } = place;
      const ofRoom = first.filter((envelope) => envelope.room === room);
      if (pos !== undefined && !ofRoom.some(({ type }) => type === "ok" || type === "error")) {
        const messages = ofRoom.filter(({ type }) => type === "message");
        const head = messages.at(-1)?.pos ?? pos;
        this.#answered(place, { type: "ok", of: "join", room, pos, head, count: messages.length, recovered: true });
      }
    }
  }

  /** Takes the end of a request; one for rooms that are all refused ends these alone. It does not say what for. */
  #refused(places: Place[], ending: Ending): void {
    if (!ending.rooms || places.length === 0) {
      this.#events.ended(ending);
      return;
    }
    // Those that a poll has told already are gone.
    const together = places.some(({ presence }) => presence);
    for (const place of places.filter((one) => this.places.get(one.room) === one)) {
      const { room, presence } = place;
      if (together && !presence) {
        this.#misplaced(place);
      } else {
        this.#answered(place, { type: "error", of: "join", room, code: ending.rooms, message: ending.rooms, retryable: false });
      }
    }
    this.refresh();
  }

  #misplaced(place: Place): void {
    this.places.delete(place.room);
    this.#events.misplaced(place);
  }

  /** Takes the answer to the join of a room, which the client may have been in before. */
  #answered(place: Place, reply: Envelope): void {
    const { room, presence, joinId: id } = place;
    if (reply.type === "error" && !presence && (reply.code === "presence_disabled" || reply.field === "presence")) {
      this.#misplaced(place);
    } else if (reply.type === "error") {
      this.places.delete(room);
      this.#tell(id === undefined ? { type: "kicked", room, reason: reply.code, for: 0 } : { ...reply, id });
    } else {
      place.joinId = undefined;
      place.pos = reply.pos;
      const { present, members, ...plain } = reply;
      if (id !== undefined) {
        this.#tell({ ...(presence ? reply : plain), id });
      } else if (reply.recovered === false) {
        this.#tell({ type: "gap", room, reason: reply.reason, pos: reply.pos });
      } else if (presence && present !== undefined) {
        this.#tell({ type: "presence", room, count: present, members });
      }
    }
    if (this.#open.delete(room) && this.#open.size === 0 && this.#count < this.places.size) {
      this.refresh();
    }
  }

  #tell(envelope: object): void {
    this.#events.received(JSON.stringify(envelope));
  }
}

/** Returns what to ask for to be in some rooms. */
function namesOf(places: Place[]): string[] {
  return places.length > 0 ? places.map(({ room }) => room) : [ownInbox];
}

/** Returns how to ask for rooms where they stand, or with their newest messages. */
function wantedOf(places: Place[], last: number | undefined): Pick<Wanted, "vector" | "query"> {
  const query: [string, string][] = [];
  if (last !== undefined) {
    query.push(["last", String(last)]);
  }
  if (places.some(({ presence }) => presence)) {
    query.push(["presence", "true"]);
  }
  return {
    vector: places.flatMap(({ room, pos }) => (pos === undefined ? [] : [`${room}=${pos}`])).join(),
    query,
  };
}
