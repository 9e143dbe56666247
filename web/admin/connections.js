// The connections of the node: who, how, since when, and where.

import { List, byID, el, seen, setText } from "../parts/dom.js";
import { fullTime, plural, span } from "./format.js";

const PAGE = 200;

export class ConnectionsView {
  #api;
  #list = new List(byID("connection-rows"));

  constructor(api) {
    this.#api = api;
    byID("user-filter").addEventListener("input", () => this.refresh());
  }

  /** Shows the connections of a user; "" is everybody's. */
  open(user) {
    byID("user-filter").value = user;
  }

  async refresh() {
    const user = byID("user-filter").value.trim();
    const { connections, next } = await this.#api.get("connections", { user, limit: PAGE });
    if (user !== byID("user-filter").value.trim()) return;
    byID("connections-empty").hidden = connections.length > 0;
    byID("connections-table").hidden = connections.length === 0;
    setText(byID("connections-empty"), user ? `${user} has no connection to this node.` : "Nobody is connected to this node.");
    setText(byID("connections-more"), next ? `These are the first ${PAGE}. Type a user to see theirs.` : connections.length ? plural(connections.length, "connection", "connections") : "");
    this.#list.show(connections.map(row));
  }
}

function row({ client, user, name: chosen, anonymous, transport, network, since, rooms }) {
  const name = seen(chosen);
  const behind = rooms.filter((place) => place.behind).length;
  const shown = rooms.filter(({ room }) => !room.startsWith("@")); // everybody has an inbox
  const where = shown.map(({ room, behind: late }) => el("a", { href: `#room/${encodeURIComponent(room)}`, class: late ? "place warn" : "place", title: room }, el("bdi", {}, room)));
  const build = () => el("tr", {},
    el("th", { scope: "row" }, el("a", { href: `#life/${encodeURIComponent(user)}` }, el("bdi", {}, name || user)), el("small", {}, name && name !== user ? user : anonymous ? "anonymous" : "")),
    el("td", {}, transport),
    el("td", {}, network),
    el("td", { class: "number", title: fullTime(since) }, span(Date.now() - since)),
    el("td", { class: "places" }, ...where.slice(0, 6), shown.length > 6 && el("span", { class: "place" }, `and ${shown.length - 6} more`)),
    el("td", { class: behind ? "number warn" : "number" }, behind ? plural(behind, "room", "rooms") : "–"),
  );
  return { key: client, version: [name, span(Date.now() - since), ...rooms.map(({ room, behind: late }) => room + late)].join("|"), build };
}
