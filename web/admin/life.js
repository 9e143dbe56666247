// What became of one user's connections: those that there are, and the turning points of those that there were.

import { List, byID, el, setText } from "../parts/dom.js";
import { fullTime, plural, span } from "./format.js";

export class LifeView {
  #api;
  #user = "";
  #here = new List(byID("life-here"));
  #turns = new List(byID("life-turns"));

  constructor(api) {
    this.#api = api;
  }

  open(user) {
    if (user === this.#user) return;
    this.#user = user;
    setText(byID("life-title"), user);
    byID("life-why").href = `#why/${encodeURIComponent(user)}`;
    this.#here.show([]);
    this.#turns.show([]);
    for (const id of ["life-nobody", "life-nothing", "life-since"]) setText(byID(id), "");
  }

  async refresh() {
    const user = this.#user;
    const { connections, turns, since } = await this.#api.get("life", { user });
    if (user !== this.#user) return;
    this.#here.show(connections.map(connection));
    this.#turns.show(turns.filter(({ room = "" }) => !room.startsWith("@")).map(turn)); // everybody has an inbox
    setText(byID("life-nobody"), connections.length ? "" : "This user has no connection to this node.");
    setText(byID("life-nothing"), turns.length ? "" : "Nothing has ended, and nothing was refused.");
    setText(byID("life-since"), `Nothing is missing since ${fullTime(since)}.`);
  }
}

function connection({ client, name, transport, network, since, rooms, used }) {
  const places = rooms.filter(({ room }) => !room.startsWith("@")).map(place);
  const spent = Object.entries({ requests: used.messages, bytes: used.bytes, joins: used.joins, refusals: used.refusals })
    .map(([what, part]) => [what, Math.ceil(part * 100)]).filter(([, percent]) => percent > 0).map(([what, percent]) => `${what} ${percent} %`);
  const facts = [name, transport, network, `for ${span(Date.now() - since)}`].filter(Boolean).join(" · ");
  const build = () => el("li", { class: "here" },
    el("p", {}, el("code", {}, client), " ", el("span", {}, facts)),
    el("p", {}, ...(places.length ? places : [el("span", { class: "hint" }, "In no room.")])),
    el("p", { class: "hint" }, spent.length ? `Of its limits it has used: ${spent.join(", ")}.` : "Its limits are unused."));
  return { key: client, version: [facts, ...spent, ...rooms.map(({ room, pos, waiting, behind }) => room + pos + waiting + behind)].join("|"), build };
}

function place({ room, behind, waiting, behind_since: since }) {
  const late = behind ? ` · ${plural(waiting, "message waits", "messages wait")}${since ? `, behind for ${span(Date.now() - since)}` : ""}` : "";
  return el("a", { href: `#room/${encodeURIComponent(room)}`, class: behind ? "place warn" : "place" }, el("bdi", {}, room), late);
}

const LEFT = { left: "was left", closed: "was left with the connection", kicked: "is where the user was put out", forbidden: "is not allowed any more" };
const PASSED = { latest: "behind: only the newest of each event was given", ephemeral: "behind: what is not stored was dropped", late: "behind: everything was given later" };
const WANTED = { connect: "to connect", join: "to join", publish: "to publish" };

function turn(t, n) {
  const build = () => el("li", { class: "turn", "data-kind": t.kind },
    el("time", { datetime: new Date(t.ts).toISOString() }, fullTime(t.ts)),
    el("span", {}, ...told(t)),
    el("code", {}, t.client ?? ""));
  return { key: `${t.ts}-${t.kind}-${t.client}-${t.room}-${n}`, version: t.count ?? 0, build };
}

function told({ kind, room, what, why, text, count, since, ts }) {
  const where = room ? el("bdi", { class: "where" }, room) : "";
  const lasted = since && ts > since ? `, after ${span(ts - since)}` : "";
  switch (kind) {
    case "left": return [where, ` ${LEFT[why] ?? why}${lasted}`];
    case "ended": return [`The connection ended${lasted}: ${text}`];
    case "refused": return [where, `${room ? " " : ""}was refused ${WANTED[what] ?? what}: ${text} (${why})${count > 1 ? `, ${count} times` : ""}`];
    default: return [where, ` ${PASSED[why] ?? `what was missed could not be given (${why})`}`];
  }
}
