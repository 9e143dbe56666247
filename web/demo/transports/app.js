// One room, four transports, live: whether they read the same, whatever becomes of their connections.

import { byID, setText } from "../../parts/dom.js";
import { Native, Poll, SocketIO, Stream } from "./carriers.js";
import { Order, compare } from "./order.js";
import { Panel } from "./panel.js";

const TALK_MS = 700;
const SETTLE_MS = 150;
const PATIENCE_MS = 1000;
const WORDS = ["ping", "tick", "hello", "onward", "again", "still here", "next", "and so on"];

const TRANSPORTS = [
  { key: "native", title: "WebSocket", note: "a bare WebSocket", Carrier: Native },
  { key: "socketio", title: "Socket.IO", note: "its unchanged client", Carrier: SocketIO },
  { key: "sse", title: "SSE", note: "a bare EventSource", Carrier: Stream },
  { key: "poll", title: "Long-poll", note: "fetch, again and again", Carrier: Poll },
];

const room = decodeURIComponent(location.hash.slice(1)) || "demo-transports";
const order = new Order();
let panels = [];
let timer = 0;
let since = 0;
panels = TRANSPORTS.map((transport) => new Panel(transport, room, order, changed));

byID("panels").append(...panels.map(({ node }) => node));
setText(byID("room"), room);
addEventListener("hashchange", () => location.reload());

/** What one has read the others read within a moment: only then there is something to be said of it. */
function changed() {
  const newest = Math.max(0, ...panels.map(({ reader }) => reader.last));
  for (const panel of panels) if (panel.phase === "cut") panel.missedUpTo(newest);
  since ||= performance.now();
  clearTimeout(timer);
  timer = setTimeout(draw, Math.max(0, Math.min(SETTLE_MS, since + PATIENCE_MS - performance.now())));
}

function draw() {
  since = 0;
  const found = compare(panels.map(({ reader }) => reader));
  const away = panels.filter(({ live }) => !live);
  // Who is away reads nothing: that all have read the same is of before.
  if (found.verdict === "equal" && away.length > 0) found.verdict = "away";
  byID("verdict").dataset.verdict = found.verdict;
  setText(byID("verdict"), say(found, away));
}

function say({ verdict, count, behind, reader, fault }, away) {
  const same = count === 1 ? "All four have read the same message" : `All four have read the same ${count} messages, in one order`;
  switch (verdict) {
    case "equal":
      return `${same}.`;
    case "away":
      return `${same}; ${are(away)} not connected now.`;
    case "behind":
      return `${list(behind.flatMap((n, i) => (n > 0 ? [`${panels[i].title} is ${n} behind`] : [])))}; nobody has missed or doubled anything.`;
    case "broken":
      return `${panels[reader].title}: ${fault}.`;
  }
  const refused = panels.filter((panel) => panel.refused);
  if (refused.length === panels.length) return "The server lets none of the four into this room.";
  if (refused.length > 0) return `${are(refused)} not let into this room.`;
  return away.length > 0 ? "Waiting for all four." : "Nothing has been said yet.";
}

/** The panels as the subject of a sentence. */
const are = (some) => `${some.length === panels.length ? "they" : list(some.map(({ title }) => title))} ${some.length > 1 ? "are" : "is"}`;

const list = (texts) => new Intl.ListFormat("en", { type: "conjunction" }).format(texts);

let talking = 0;
let said = 0;
byID("talk").addEventListener("click", () => {
  if (talking) clearInterval(talking);
  talking = talking ? 0 : setInterval(talk, TALK_MS);
  if (talking) talk();
  byID("talk").setAttribute("aria-pressed", String(talking > 0));
  setText(byID("talk"), talking ? "Be quiet" : "Talk");
});

/** One of those that are there says something, each in its turn. */
function talk() {
  const there = panels.filter(({ live }) => live);
  if (there.length > 0) there[said % there.length].say(WORDS[said++ % WORDS.length]);
}
draw();
