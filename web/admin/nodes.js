// The nodes that share the engine: this one, and those that answer it.

import { List, byID, el, setText } from "../parts/dom.js";
import { plural, span } from "./format.js";

export class NodesView {
  #api;
  #list = new List(byID("node-rows"));

  constructor(api) {
    this.#api = api;
  }

  async refresh() {
    const { nodes } = await this.#api.get("nodes");
    byID("nodes-table").hidden = false;
    this.#list.show(nodes.map(row));
    setText(byID("nodes-more"), nodes.length > 1
      ? `${plural(nodes.length, "node", "nodes")}. One that does not answer within a moment is missing here. Rooms and connections are those of this node; the others have a page like this one each.`
      : "This node is alone, or no other one answers.");
  }
}

function row({ node, sessions, users, rooms, ready, why, uptime }, at) {
  const numbers = [sessions, users, rooms].map((n) => n.toLocaleString());
  const build = () => el("tr", {},
    el("th", { scope: "row" }, el("bdi", {}, node), at === 0 && el("small", {}, "this node")),
    ...[...numbers, span(uptime * 1000)].map((text) => el("td", { class: "number" }, text)),
    el("td", { class: ready ? "" : "warn" }, ready ? "yes" : `no: ${why}`));
  return { key: at, version: [node, ...numbers, span(uptime * 1000), ready, why].join("|"), build };
}
