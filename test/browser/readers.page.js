// Runs in a tab: reads a room until the message "end", whatever becomes of its connections, with nothing but what a
// browser has, or with the client of Socket.IO, if it is there.

/** What a tab has heard. */
class Heard {
  positions = [];
  data = [];
  problems = [];
  connections = 0;

  take(it) {
    if (it.type === "message") this.positions.push(it.pos), this.data.push(it.data);
    if (it.type === "gap" || it.recovered === false || it.type === "error") this.problems.push(JSON.stringify(it));
  }
}

function readWebSocket(room, heard) {
  let at;
  const open = () => {
    const socket = new WebSocket(`${location.origin.replace("http", "ws")}/ws`);
    heard.connections++;
    socket.onopen = () => socket.send(JSON.stringify({ type: "join", room, ...(at ? { since: at } : { last: 1 }) }));
    socket.onmessage = ({ data }) => {
      const it = JSON.parse(data);
      if (it.room === room && it.pos && (it.type === "message" || it.of === "join")) at = it.pos;
      heard.take(it);
    };
    socket.onclose = () => setTimeout(open, 10);
  };
  open();
}

function readStream(room, heard) {
  let id = "";
  const open = () => {
    const from = id ? `lastEventId=${encodeURIComponent(id)}` : "last=1";
    const events = new EventSource(`/sse?room=${room}&${from}`);
    heard.connections++;
    for (const type of ["ok", "message", "gap", "failure"]) {
      events.addEventListener(type, (event) => {
        id = event.lastEventId || id;
        heard.take(JSON.parse(event.data));
      });
    }
    events.onerror = () => { // its own way back waits for seconds
      events.close();
      setTimeout(open, 10);
    };
  };
  open();
}

function readSocketIO(room, heard) {
  const socket = window.io(location.origin, { reconnectionDelay: 10, reconnectionDelayMax: 10, randomizationFactor: 0 });
  let joined = false;
  heard.connections++;
  socket.io.on("reconnect_attempt", () => heard.connections++);
  socket.on("connect", () => {
    if (socket.recovered) return;
    if (joined) heard.problems.push("not recovered");
    socket.emit("join", { room, last: 1 }, () => (joined = true));
  });
  for (const type of ["message", "gap", "error"]) socket.on(type, (it) => heard.take(it));
}

async function readPolls(room, heard) {
  for (let cursor = ""; ; ) {
    heard.connections++;
    try {
      const response = await fetch(`/poll?room=${room}&${cursor ? `cursor=${encodeURIComponent(cursor)}` : "last=1"}`, { cache: "no-store" });
      const answer = await response.json();
      cursor = answer.cursor ?? cursor;
      answer.messages.forEach((it) => heard.take(it));
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 10)); // the cursor is the old one still
    }
  }
}

function read(transport, room) {
  window.heard = new Heard();
  ({ websocket: readWebSocket, sse: readStream, socketio: readSocketIO, poll: readPolls })[transport](room, window.heard);
}
