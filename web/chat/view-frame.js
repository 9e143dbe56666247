// What is around the conversation: its title, the state of the connection, the drawers of a narrow window.

import { byID, setText } from "../parts/dom.js";
import { drawStatus, reasonOf, whyStopped } from "../parts/status.js";
import { badge, hueOf, initials, plural } from "./format.js";

/** actions: reconnect(), token(), leave(conversation), join(conversation). */
export class FrameView {
  #store;
  #actions;
  #narrow = matchMedia("(max-width: 719px)");
  #medium = matchMedia("(max-width: 1079px)");

  constructor(store, actions) {
    this.#store = store;
    this.#actions = actions;
    byID("open-rooms").addEventListener("click", () => this.openDrawer("rooms"));
    byID("open-people").addEventListener("click", () => this.openDrawer("people"));
    byID("scrim").addEventListener("click", () => this.closeDrawer());
    for (const button of document.querySelectorAll(".drawer-close")) button.addEventListener("click", () => this.closeDrawer());
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.closeDrawer());
    for (const width of [this.#narrow, this.#medium]) width.addEventListener("change", () => this.closeDrawer());
    byID("leave").addEventListener("click", () => actions.leave(store.current));
    byID("out-join").addEventListener("click", () => actions.join(store.current));
    byID("banner-action").addEventListener("click", () => this.#retry());
    setInterval(() => drawStatus(store.connection), 250);
  }

  render() {
    const conversation = this.#store.current;
    if (!conversation) return;
    this.#renderTitle(conversation);
    this.#renderConnection();
    const elsewhere = this.#store.unread - conversation.unread;
    setText(byID("elsewhere"), elsewhere ? badge(elsewhere) : "");
    byID("open-rooms").setAttribute("aria-label", elsewhere ? `Rooms, ${elsewhere} unread` : "Rooms");
    const name = conversation.direct ? this.#store.nameOf(conversation.peer) : "#" + conversation.id;
    const title = `${this.#store.unread ? `(${badge(this.#store.unread)}) ` : ""}${name} · Wireroom`;
    if (document.title !== title) document.title = title;
  }

  /** Slides a column in where the window has no room for it. */
  openDrawer(name) {
    byID("app").dataset.drawer = name;
    for (const column of ["rooms", "room", "people"]) byID(column).inert = column !== name;
    byID(name).querySelector(".drawer-close").focus();
  }

  closeDrawer() {
    const { drawer } = byID("app").dataset;
    if (!drawer) return;
    byID("app").dataset.drawer = "";
    for (const column of ["rooms", "room", "people"]) byID(column).inert = false;
    byID("open-" + drawer).focus();
  }

  #renderTitle({ id, direct, peer, status, peopled, count, members }) {
    setText(byID("title"), direct ? this.#store.nameOf(peer) : id);
    byID("title-hash").toggleAttribute("hidden", direct);
    const avatar = byID("title-avatar");
    avatar.hidden = !direct;
    avatar.className = `avatar hue-${hueOf(peer)}`;
    setText(avatar, initials(this.#store.nameOf(peer)));
    const here = count || members.size;
    const subtitle = direct ? "Private messages" : { joining: this.#store.connection.phase === "live" ? "Joining" : "Not connected", out: "Not joined" }[status] ?? (peopled ? plural(here, "person here", "people here") : "Room");
    setText(byID("subtitle"), subtitle);
    setText(byID("people-badge"), direct || !here ? "" : String(here));
    byID("leave-icon").setAttribute("href", direct ? "#icon-close" : "#icon-leave");
    byID("leave").setAttribute("aria-label", direct ? "Close this conversation" : "Leave this room");
    byID("leave").title = byID("leave").getAttribute("aria-label");
  }

  #renderConnection() {
    const { phase, code, refused } = this.#store.connection;
    byID("app").dataset.phase = phase;
    const again = this.#store.connection.failures > 0;
    byID("banner").hidden = phase === "live" || (phase === "connecting" && !again);
    setText(byID("banner-text"), phase === "stopped" ? (refused ? "The server did not accept the token." : whyStopped(code)) : reasonOf(code) ?? "The connection was lost. What you write waits here until it is back.");
    setText(byID("banner-action"), phase === "stopped" ? (code === 4401 ? "Enter a token" : "Connect") : "Try now");
    byID("banner-action").hidden = phase === "connecting";
    drawStatus(this.#store.connection);
  }

  #retry() {
    const { phase, code } = this.#store.connection;
    if (phase === "stopped" && code === 4401) this.#actions.token();
    else this.#actions.reconnect();
  }
}
