// The rooms that the node has open, with how much is going on in each.

import { List, byID, el, setText } from "../parts/dom.js";
import { plural, rate, rise } from "./format.js";

const PAGE = 200;

export class RoomsView {
  #api;
  #list = new List(byID("room-rows"));
  #seen = new Map();
  #page = { rooms: [] };
  #rates = new Map();

  constructor(api) {
    this.#api = api;
    byID("room-filter").addEventListener("input", () => this.refresh());
  }

  async refresh() {
    const prefix = byID("room-filter").value.trim();
    const page = await this.#api.get("rooms", { prefix, limit: PAGE });
    if (prefix !== byID("room-filter").value.trim()) return;
    this.#count(page.rooms, performance.now());
    this.#page = page;
    this.#render(prefix);
  }

  #count(rooms, at) {
    const seen = new Map();
    for (const { room, entries } of rooms) {
      const now = { value: entries, at };
      this.#rates.set(room, rise(this.#seen.get(room), now));
      seen.set(room, now);
    }
    this.#seen = seen;
  }

  #render(prefix) {
    const { rooms, next } = this.#page;
    byID("rooms-empty").hidden = rooms.length > 0;
    byID("rooms-table").hidden = rooms.length === 0;
    setText(byID("rooms-empty"), prefix ? `No room that is open begins with ${prefix}.` : "No room is open. One opens with its first member.");
    setText(byID("rooms-more"), next ? `These are the first ${PAGE}. Type the beginning of a name to see others.` : rooms.length ? plural(rooms.length, "room", "rooms") : "");
    this.#list.show(rooms.map((room) => this.#row(room)));
  }

  #row(room) {
    const cells = [room.members.toLocaleString(), room.users ? room.users.toLocaleString() : "–", rate(this.#rates.get(room.room)), room.behind.toLocaleString(), room.head ? Number(room.head.split(".")[1]).toLocaleString() : "–"];
    const build = () => el("tr", {},
      el("th", { scope: "row" }, el("a", { href: `#room/${encodeURIComponent(room.room)}` }, el("bdi", {}, room.room))),
      ...cells.map((text, n) => el("td", { class: n === 3 && room.behind ? "number warn" : "number" }, text)));
    return { key: room.room, version: cells.join("|"), build };
  }
}
