// Four ways to be in a room. Each has nothing but what its transport has, and the position from which it goes on.
//
// A carrier calls on.phase("connecting" | "live" | "refused"), on.back() when it has come back to where it stood,
// on.message(envelope) and on.problem(text); say(data) publishes, cut() loses the connection, and open() connects, also
// again. One that was refused does not come back by itself.

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

  /** Stays away: the server does not let it into the room, or not any more, and would say the same again. */
  refuse(why) {
    this.cut();
    this.on.problem(why);
    this.on.phase("refused");
  }

  /** What the server says of the room, whatever the transport. */
  take(it) {
    if (it.room !== undefined && it.room !== this.room) return;
    if (it.type === "message") this.on.message(it);
    if (it.type === "gap") this.on.problem(`messages are gone (${it.reason})`);
    if (it.type === "kicked") this.refuse(`taken out of the room${it.reason ? `: ${it.reason}` : ""}`);
    if (it.type === "error") this.failed(it);
  }

  /** An error: of a join that is worth another attempt, one that is not, or of something else. */
  failed({ of, code, message = code, retryable }) {
    if (of !== "join") return this.on.problem(message);
    if (!retryable) return this.refuse(message);
    this.on.problem(message);
    this.again();
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
      if (socket.recovered && this.was) return this.joined({ recovered: true });
      if (this.was) this.on.problem("messages are gone");
      socket.emit("join", { room: this.room, last: LAST }, mine((answer) => {
        if (!answer.ok) return this.failed({ ...answer, of: "join" });
        this.was = true;
        this.joined({});
      }));
    }));
    for (const type of ["message", "gap", "kicked", "error"]) socket.on(type, mine((it) => this.take(it)));
    socket.on("connect_error", mine((error) => {
      if (error.data && !error.data.retryable) return this.refuse(error.message);
      if (error.data) this.on.problem(error.message);
      this.again();
    }));
    socket.on("disconnect", mine(() => this.again()));
    socket.connect();
  }

  refuse(why) {
    this.was = false; // its connection may be recovered, and is in no room
    super.refuse(why);
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
    for (const type of ["gap", "kicked", "failure"]) hear(type, (it) => this.take(it));
    // An EventSource that would not come back by itself was answered with something else than a stream.
    events.onerror = mine(() => (events.readyState === EventSource.CLOSED ? this.refuse("the server gives it no stream") : this.again()));
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
        if ([204, 401, 403].includes(response.status)) return mine(() => this.refuse(response.headers.get("Wireroom-Error") ?? "refused"))();
        if (!response.ok) throw new Error(`status ${response.status}`);
        const { messages, cursor } = await response.json();
        mine(() => this.heard(messages, cursor))();
      }
    } catch {
      mine(() => this.again())();
    }
  }

  heard(messages, cursor) {
    const { opened } = this;
    const first = !this.polled;
    if (first && this.cursor) this.on.back();
    this.polled = true;
    this.cursor = cursor ?? this.cursor;
    for (const it of messages) {
      if (it.type === "ok") this.joined(it);
      else this.take(it);
    }
    if (first && opened === this.opened) this.on.phase("live");
  }

  say(data) {
    return post(this.room, data, this.on);
  }

  close() {
    this.polled = false;
    this.abort?.abort();
  }
}
