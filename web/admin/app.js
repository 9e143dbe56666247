// The page of administrators: what goes on on this node, and what can be done about it.

import { byID, setText } from "../parts/dom.js";
import { browserStorage } from "../parts/saved.js";
import { Api } from "./api.js";
import { ConnectionsView } from "./connections.js";
import { plural, sentence, span } from "./format.js";
import { LifeView } from "./life.js";
import { NodesView } from "./nodes.js";
import { RoomView } from "./room.js";
import { RoomsView } from "./rooms.js";
import { WhyView } from "./why.js";

const EVERY = 2000; // milliseconds between two looks

const { tab } = browserStorage();
const api = new Api();
const views = {
  rooms: new RoomsView(api), room: new RoomView(api, ask, tells), connections: new ConnectionsView(api), nodes: new NodesView(api), life: new LifeView(api), why: new WhyView(api),
};
const TABS = { room: "rooms", life: "connections" }; // what is seen below which
let shown = "rooms";
let timer = 0;

// The address says what is shown: #rooms, #room/NAME, #connections, #connections/USER, #nodes, #life/USER, #why/USER/ROOM/MESSAGE,
// of which each may be left out.
function route() {
  const [name, ...rest] = location.hash.slice(1).split("/");
  shown = Object.hasOwn(views, name) && (!TABS[name] || rest[0]) ? name : "rooms";
  views[shown].open?.(...(rest.length ? rest.map(decoded) : [""]));
  for (const view of Object.keys(views)) byID(view).hidden = view !== shown;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${TABS[shown] ?? shown}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  look();
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

// One look follows the other, however long it takes; out of sight there is none.
async function look() {
  clearTimeout(timer);
  if (!api.key || document.hidden) return;
  const view = views[shown];
  try {
    const [node] = await Promise.all([api.get("node"), view.refresh()]);
    tellNode(node);
    state("live", "Live");
  } catch (error) {
    if (error.code === "unauthorized") return locked("That key is not one of this server's.");
    state("offline", error.code === "unreachable" ? "Offline" : "Error", error.message);
  }
  clearTimeout(timer);
  timer = setTimeout(look, EVERY);
}

function tellNode({ node, sessions, users, rooms, durability, ready, why, uptime }) {
  setText(byID("node"), node);
  if (document.title !== `${node} · Wireroom admin`) document.title = `${node} · Wireroom admin`;
  const facts = [plural(sessions, "connection", "connections"), plural(users, "user", "users"), plural(rooms, "room", "rooms"), `messages in ${durability === "engine" ? "an engine" : durability === "disk" ? "files" : durability}`, `up ${span(uptime * 1000)}`];
  setText(byID("facts"), facts.join(" · "));
  setText(byID("not-ready"), ready ? "" : `Not ready: ${why}`);
}

function state(phase, text, problem = "") {
  byID("app").dataset.phase = phase;
  setText(byID("status-text"), text);
  byID("banner").hidden = !problem;
  setText(byID("banner"), problem && `${sentence(problem)} What you see is from before.`);
}

function locked(problem = "") {
  api.key = "";
  tab.save("key", undefined);
  byID("app").hidden = true;
  byID("gate").hidden = false;
  setText(byID("key-problem"), problem);
  byID("key").focus();
}

function unlock(key) {
  api.key = key;
  tab.save("key", key);
  byID("gate").hidden = true;
  byID("app").hidden = false;
  state("connecting", "Connecting");
  route();
}

let quiet = 0;
function tells(text) {
  clearTimeout(quiet);
  setText(byID("said"), text);
  byID("said").classList.add("on");
  quiet = setTimeout(() => byID("said").classList.remove("on"), 5000);
}

/** Asks before something is done; settles with whether it may be. */
function ask(question, more, yes) {
  const dialog = byID("ask");
  setText(byID("ask-title"), question);
  setText(byID("ask-more"), more);
  setText(byID("ask-yes"), yes);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}

byID("ask-yes").addEventListener("click", () => byID("ask").close("yes"));
byID("ask-no").addEventListener("click", () => byID("ask").close("no"));
byID("gate-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const key = byID("key").value.trim();
  byID("key").value = "";
  if (key) unlock(key);
});
byID("lock").addEventListener("click", () => locked());
window.addEventListener("hashchange", route);
document.addEventListener("visibilitychange", () => !document.hidden && look());

const kept = tab.load("key", "");
if (kept) unlock(kept);
else locked();
