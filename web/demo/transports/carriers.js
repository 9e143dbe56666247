// Four ways to be in a room. Each has nothing but what its transport has, and the position from which it goes on.
//
// A carrier calls on.phase("connecting" | "live"), on.back() when it has come back to where it stood, on.message(envelope)
// and on.problem(text); say(data) publishes, cut() loses the connection, and open() connects, also again.

import { io } from "./socket.io/socket.io.esm.min.js";

const LAST = 20; // messages that a newcomer begins with
const RETRY_MS = 1000;

/** Where a carrier is that was cut off is of no interest any more: what it still hears is dropped. */
class Carrier {
  opened = 0;

  constructor(room, on) {
    this.room = room;
    this.on = on;
  }

  open() {
    const turn = ++this.opened;
    this.on.phase("connecting");
    this.connect((f) => (...args) => turn === this.opened && f(...args));
  }

  cut() {
    this.opened++;
    this.close();
  }

  /** Comes back after a while, unless it is cut off meanwhile. */
  again() {
    const turn = ++this.opened;
    this.close();
    this.on.phase("connecting");
    setTimeout(() => turn === this.opened && this.open(), RETRY_MS);
  }

  /** What the server says of the room, whatever the transport. */
  take(it) {
    if (it.room !== undefined && it.room !== this.room) return;
    if (it.type === "message") this.on.message(it);
    if (it.type === "gap") this.on.problem(`messages are gone (${it.reason})`);
    if (it.type === "error") this.on.problem(it.message ?? it.code);
  }

  joined(it) {
    this.on.phase("live");
    if (it.recovered) this.on.back();
    if (it.recovered === false) this.on.problem(`messages are gone (${it.reason})`);
  }
}

export class Native extends Carrier {
  connect(mine) {
    const socket = (this.socket = new WebSocket(`${location.origin.replace("http", "ws")}/ws`));
    socket.onopen = mine(() => this.ask({ type: "join", id: 1, ...(this.at ? { since: this.at } : { last: LAST }) }));
    socket.onclose = mine(() => this.again());
    socket.onmessage = mine(({ data }) => {
      const it = JSON.parse(data);
      if (it.room === this.room && it.pos && (it.type === "message" || it.of === "join")) this.at = it.pos;
      if (it.of === "join" && it.type === "ok") this.joined(it);
      else this.take(it);
    });
  }

  say(data) {
    this.ask({ type: "publish", data });
  }

  ask(request) {
    this.socket.send(JSON.stringify({ ...request, room: this.room }));
  }

  close() {
    this.socket?.close();
  }
}

export class SocketIO extends Carrier {
  connect(mine) {
    this.close();
    // Its own recovery needs the socket that was there before.
    const socket = (this.socket ??= io(location.origin, { autoConnect: false, reconnection: false, forceNew: true }));
    socket.off();
    socket.on("connect", mine(() => {
      if (socket.recovered) return this.joined({ recovered: true });
      if (this.was) this.on.problem("messages are gone");
      socket.emit("join", { room: this.room, last: LAST }, mine((answer) => {
        this.was = true;
        answer.ok ? this.joined({}) : this.on.problem(answer.message);
      }));
    }));
    for (const type of ["message", "gap", "error"]) socket.on(type, mine((it) => this.take(it)));
    socket.on("connect_error", mine((error) => {
      if (error.data) this.on.problem(error.message);
      this.again();
    }));
    socket.on("disconnect", mine(() => this.again()));
    socket.connect();
  }

  say(data) {
    this.socket.emit("publish", { room: this.room, data }, (answer) => answer.ok || this.on.problem(answer.message));
  }

  close() {
    this.socket?.io.engine?.close(); // of the transport only: the socket stays, and with it what it needs to recover
  }
}

/** Publishing where the way in is a request. */
async function post(room, data, on) {
  try {
    const response = await fetch("/send", { method: "POST", body: JSON.stringify({ type: "publish", room, data }) });
    const answer = await response.json();
    if (answer.type === "error") on.problem(answer.message ?? answer.code);
  } catch {
    on.problem("what was said did not get through");
  }
}

export class Stream extends Carrier {
  connect(mine) {
    const where = this.id ? { lastEventId: this.id } : { last: LAST };
    const events = (this.events = new EventSource(`/sse?${new URLSearchParams({ room: this.room, ...where })}`));
    const hear = (type, f) => events.addEventListener(type, mine((event) => {
      this.id = event.lastEventId || this.id;
      f(JSON.parse(event.data));
    }));
    hear("ok", (it) => this.joined(it));
    hear("message", (it) => this.take(it));
    hear("gap", (it) => this.take(it));
    hear("failure", (it) => this.take(it));
    events.onerror = mine(() => this.again());
  }

  say(data) {
    return post(this.room, data, this.on);
  }

  close() {
    this.events?.close();
  }
}

export class Poll extends Carrier {
  async connect(mine) {
    const abort = (this.abort = new AbortController());
    const live = mine(() => true);
    try {
      while (live()) {
        const where = this.cursor ? { cursor: this.cursor } : { last: LAST };
        const wait = this.polled ? 25 : 0; // the first one says at once that it is there
        const response = await fetch(`/poll?${new URLSearchParams({ room: this.room, wait, ...where })}`, { cache: "no-store", signal: abort.signal });
        if (!response.ok || response.status === 204) throw new Error(`status ${response.status}`);
        const { messages, cursor } = await response.json();
        mine(() => this.heard(messages, cursor))();
      }
    } catch {
      mine(() => this.again())();
    }
  }

  heard(messages, cursor) {
    const first = !this.polled;
    if (first && this.cursor) this.on.back();
    this.polled = true;
    this.cursor = cursor ?? this.cursor;
    for (const it of messages) {
      if (it.type === "ok") this.joined(it);
      else this.take(it);
    }
    if (first) this.on.phase("live");
  }

  say(data) {
    return post(this.room, data, this.on);
  }

  close() {
    this.polled = false;
    this.abort?.abort();
  }
}
