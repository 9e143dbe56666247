import { Channel, type ChannelEvents, type Place, mostRooms } from "./channel.js";
import type { Feed } from "./feed.js";
import { type Ending, Host, endingOf, lost } from "./host.js";
import { grace } from "./link.js";
import { Sender } from "./sender.js";
import type { SocketLike } from "./types.js";
import { type Envelope, sizeOf } from "./wire.js";

/** Streams or polls at once: a browser has six connections to a server, for all of its pages. */
const mostChannels = 3;

/** After so many silences in a row that no server keeps, what it sends does not come through. */
const mostStalls = 2;

/** The names of rooms: another one would have the whole request refused. */
const roomName = /^(@([\w.-]|~(?!2[de]|3\d|4[1-9a-f]|5[\daf]|6[1-9a-f]|7[\da])[\da-f]{2})+|[\w:./=+~-]+)$/;
const longestName = 200;

/** How a socket is carried. */
export interface Way {
  readonly name: "sse" | "poll";
  readonly feed: Feed;
  /** Bounds the time until the first answer, for something in the way may keep it. */
  readonly patienceMs: number;
}

/** An envelope of the client, with its text. */
interface Sent {
  envelope: Envelope;
  text: string;
}

/**
 * Speaks the protocol of a WebSocket over plain HTTP requests: what it is sent becomes a POST or another stream, and what
 * comes of those becomes frames. The session that the server keeps for a WebSocket is kept here: the rooms and where
 * the client stands in each.
 */
export class HttpSocket implements SocketLike {
  binaryType = "arraybuffer";
  readyState = 0;
  onopen: ((event: any) => void) | null = null;
  onmessage: ((event: any) => void) | null = null;
  onerror: ((event: any) => void) | null = null;
  onclose: ((event: any) => void) | null = null;
  readonly transport: Way["name"];
  readonly #way: Way;
  readonly #host: Host;
  readonly #abort = new AbortController();
  readonly #sender: Sender;
  #channels: Channel[] = [];
  #user?: string;
  #patience: ReturnType<typeof setTimeout>;
  /** The request for a sign of life that waits for one. */
  #pinged = false;
  #authId?: number;
  #heardAt = Date.now();
  #askedAt = Date.now();
  /** A server that has been silent for so long would have been heard: it says something all the time, within a tenth. */
  #stallMs = Infinity;
  #stalls = 0;

  /** Connects; `address` is that of the WebSocket. */
  constructor(address: string, token: string | undefined, way: Way) {
    this.#way = way;
    this.transport = way.name;
    this.#host = new Host(address, token);
    this.#sender = new Sender(this.#host, this.#abort.signal, {
      replied: (text) => this.#frame(text),
      ended: (ending) => this.#end(ending),
    });
    this.#patience = setTimeout(() => this.#end(lost), way.patienceMs);
    this.#add().refresh();
  }

  /** Called with the first greeting. */
  opened(): void {}

  /** Called when the network may have changed. */
  woken(): void {}

  /** Called when what the server sends does not come through though requests do. */
  blocked(): void {}

  /** Who the client is, as it was told last. */
  get token(): string | undefined {
    return this.#host.token;
  }

  /** What was sent and is not answered: a POST does not tell when it has left. */
  get bufferedAmount(): number {
    return this.#sender.bytes;
  }

  send(frame: string | Uint8Array<ArrayBuffer>): void {
    const { envelope, text } = typeof frame === "string" ? { envelope: JSON.parse(frame), text: frame } : unframe(frame);
    switch (envelope.type) {
      case "join":
        this.#join(envelope);
        break;
      case "leave":
        this.#leave(envelope);
        break;
      case "ping":
        this.#ping();
        break;
      case "pong":
        break;
      case "auth":
        this.#renew(envelope);
        break;
      case "state":
        this.#refuse(envelope, "unsupported", `there is no state over ${this.transport}, only over a WebSocket`);
        break;
      default:
        this.#post(envelope, text);
    }
  }

  close(): void {
    this.readyState = 3;
    clearTimeout(this.#patience);
    this.#abort.abort();
    for (const channel of this.#channels) {
      channel.end();
    }
  }

  /** Ends it as soon as nothing would be lost by that, to be followed by a better one at once. */
  retire(): void {
    this.#sender.pause(() => this.#end({ code: 1012, reason: "better_transport;retry=0" }));
  }

  #add(): Channel {
    const events: ChannelEvents = {
      received: (text) => this.#frame(text),
      welcomed: (welcome, text) => this.#welcomed(welcome, text),
      misplaced: (place) => this.#exile(place),
      alive: (first) => this.#alive(first && channel === this.#channels[0]),
      ended: (ending) => this.#end(ending),
    };
    // One client has one poll at a time.
    const other = this.transport === "poll" && this.#channels.length > 0;
    const channel = new Channel(this.#host, this.#way.feed, events, other ? `${this.#host.client}.${this.#channels.length}` : undefined);
    this.#channels.push(channel);
    return channel;
  }

  #welcomed(welcome: Envelope, text: string): void {
    if (this.#user === undefined) {
      clearTimeout(this.#patience);
      this.#user = welcome.user;
      this.#sender.maxMessage = welcome.max_message || Infinity;
      this.#stallMs = welcome.ping_interval * 1000 * grace || Infinity;
      this.readyState = 1;
      this.opened();
      this.onopen?.({});
      this.#frame(text);
    } else if (welcome.user !== this.#user) {
      this.#end(endingOf("unauthorized"));
    }
    // Who presents its token once more with the opening has not had another one yet.
    this.#host.token = welcome.token ?? this.#host.token;
  }

  /** Tells who asked for it that the server is there. */
  #answer(): void {
    if (this.#pinged) {
      this.#pinged = false;
      this.#frame('{"type":"pong"}');
    }
    if (this.#authId !== undefined) {
      this.#frame(JSON.stringify({ type: "ok", id: this.#authId, of: "auth", user: this.#user }));
      this.#authId = undefined;
    }
  }

  #join(envelope: Envelope): void {
    const { id, room, since, last, presence } = envelope;
    if (room.length > longestName || !roomName.test(room)) {
      this.#refuse(envelope, "invalid_room", "not the name of a room", "room");
      return;
    }
    for (const channel of this.#channels) {
      channel.places.delete(room);
    }
    this.#place({ room, joinId: id, pos: since, last, presence: !!presence }, () => true);
  }

  /** Moves a room, whose presence is off, to where nobody asks for it. */
  #exile(place: Place): void {
    this.#place(place, ({ places }) => ![...places.values()].some(({ presence }) => presence));
  }

  /** Gives a room its place in a channel that suits. */
  #place(place: Place, suits: (channel: Channel) => boolean): void {
    let channel = this.#channels.find((one) => one.places.size < mostRooms && suits(one));
    if (!channel && this.#channels.length < mostChannels) {
      channel = this.#add();
    }
    if (channel) {
      channel.places.set(place.room, place);
      channel.refresh();
    } else {
      const message = `more than ${mostRooms * mostChannels} rooms over ${this.transport}`;
      this.#refuse({ type: "join", id: place.joinId, room: place.room }, "room_limit", message);
    }
  }

  #leave({ id, room }: Envelope): void {
    for (const channel of this.#channels) {
      if (channel.places.delete(room)) {
        channel.refresh();
      }
    }
    this.#frame(JSON.stringify({ type: "ok", id, of: "leave", room }));
  }

  /** In base64 bytes are longer than they were in a frame. */
  #post(envelope: Envelope, text: string): void {
    if (sizeOf(text) > this.#sender.maxMessage) {
      this.#refuse(envelope, "too_large", `longer than the server takes over ${this.transport}`);
    } else {
      const again = /^(publish|history|presence)$/.test(envelope.type) && !envelope.ephemeral;
      this.#sender.send(text, !again);
    }
  }

  /** Another request is the only way to learn whether what the server sends comes through. */
  #ping(): void {
    this.#stalls += Date.now() - this.#heardAt >= this.#stallMs ? 1 : 0;
    if (this.#stalls >= mostStalls) {
      this.blocked();
      this.#end(lost);
      return;
    }
    this.#pinged = true;
    this.woken();
    this.#refresh();
  }

  #renew({ id, token }: Envelope): void {
    this.#authId = id;
    if (token === this.#host.token) {
      this.#answer();
      return;
    }
    this.#host.token = token;
    this.#refresh();
  }

  #refresh(): void {
    this.#askedAt = Date.now();
    for (const channel of this.#channels) {
      channel.refresh();
    }
  }

  #alive(answers: boolean): void {
    this.#heardAt = Date.now();
    if (answers) {
      this.#answer();
    }
    // What comes at once comes through whatever keeps the rest.
    if (this.#heardAt - this.#askedAt > 2_000) {
      this.#stalls = 0;
    }
    if (this.readyState === 1) {
      this.#frame('{"type":"ping"}');
    }
  }

  #refuse({ type, id, room }: Envelope, code: string, message: string, field?: string): void {
    this.#frame(JSON.stringify({ type: "error", id, of: type, room, code, message, field, retryable: false }));
  }

  #frame(data: string): void {
    this.onmessage?.({ data });
  }

  #end({ code, reason }: Ending): void {
    if (this.readyState < 3) {
      this.close();
      this.onclose?.({ code, reason });
    }
  }
}

/** Reads a binary frame; its bytes go in base64. */
function unframe(frame: Uint8Array<ArrayBuffer>): Sent {
  const end = 2 + new DataView(frame.buffer, frame.byteOffset).getUint16(0);
  const head = new TextDecoder().decode(frame.subarray(2, end));
  let bytes = "";
  for (let i = end; i < frame.length; i += 8192) {
    bytes += String.fromCharCode(...frame.subarray(i, i + 8192));
  }
  return { envelope: JSON.parse(head), text: `${head.slice(0, -1)},"bytes":"${btoa(bytes)}"}` };
}
