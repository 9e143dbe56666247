// The chat page: puts the parts together. The published client talks to the server, and nothing else does.

import { Connection } from "./connection.js";
import { Membership } from "./membership.js";
import { Outbox } from "./outbox.js";
import { browserStorage } from "../parts/saved.js";
import { Store } from "./store.js";
import { roomProblem } from "./protocol.js";
import { ComposerView } from "./view-composer.js";
import { FrameView } from "./view-frame.js";
import { LogView } from "./view-log.js";
import { PeopleView } from "./view-people.js";
import { RoomsView } from "./view-rooms.js";
import { askName, askToken } from "./view-dialogs.js";
import { byID } from "../parts/dom.js";

const store = new Store(browserStorage());
const connection = new Connection({
  identity: () => ({ name: store.me.name, inbox: membership.inboxOptions }),
  saved: () => store.token,
  forget: () => (store.token = ""),
  onState,
  onClient: (client) => membership.began(client),
  onWelcome: (welcome) => store.identify(welcome),
});
const outbox = new Outbox(store, connection);
const membership = new Membership(store);

const actions = {
  open,
  leave,
  join: (room) => membership.join(room),
  send: (text) => {
    outbox.send(store.current, text);
    draw();
    log.toEnd();
  },
  typing: () => outbox.typing(store.current),
  retry: (message) => outbox.retry(store.current, message),
  discard: (message) => outbox.discard(store.current, message),
  earlier: () => membership.fetchEarlier(store.current),
  morePeople: (conversation) => membership.fetchMembers(conversation).catch(() => {}), // the button is still there
  reconnect: () => connection.start(),
  token: enterToken,
};

const frame = new FrameView(store, actions);
const log = new LogView(store, actions);
const views = [new RoomsView(store, actions), new PeopleView(store, actions), frame, log, new ComposerView(store, actions)];

function onState(state) {
  store.connection = state;
  if (state.phase !== "live") membership.lost();
  else outbox.pumpAll();
  store.changed();
}

function open(id) {
  const here = "#" + encodeURI(id);
  if (location.hash !== here) location.hash = here;
  else show(id);
}

function show(id) {
  const known = store.conversations.get(id);
  store.activate(id);
  if (!known && !store.current.direct) membership.join(store.current);
  frame.closeDrawer();
  draw();
}

function leave(conversation) {
  if (!conversation) return;
  if (!conversation.direct) membership.leave(conversation);
  const next = store.rooms.find(({ id }) => id !== conversation.id) ?? store.ensure("lobby");
  const wasActive = conversation.id === store.active;
  if (wasActive) store.active = next.id;
  store.forget(conversation.id);
  if (wasActive) open(store.rooms[0]?.id ?? "lobby");
}

// The address bar names the conversation; what is no room's name there is as good as nothing.
function named() {
  let id = "";
  try {
    id = decodeURI(location.hash.slice(1));
  } catch {
    // half an escape sequence
  }
  const valid = id.startsWith("@") ? /^@[A-Za-z0-9_.~-]{0,200}$/.test(id) : roomProblem(id) === "";
  return valid ? id : store.rooms[0]?.id ?? "lobby";
}

async function rename() {
  const name = await askName(store.me.name);
  if (!name || name === store.me.name) return;
  store.rename(name);
  connection.start();
}

async function enterToken() {
  const token = await askToken();
  if (!token) return;
  store.token = token;
  connection.start();
}

// Many changes, one drawing. A hidden page is not given animation frames, and still has a title to keep right.
let drawing = false;
store.onChange = () => {
  if (drawing) return;
  drawing = true;
  if (document.hidden) setTimeout(draw, 200);
  else requestAnimationFrame(draw);
};

let fading = 0;
function draw() {
  drawing = false;
  for (const view of views) view.render();
  clearTimeout(fading);
  const { next } = store.current?.typists() ?? { next: Infinity };
  if (next < Infinity) fading = setTimeout(draw, Math.max(next - Date.now(), 0) + 20);
}

function seen() {
  store.away = document.hidden;
  store.read();
}

async function start() {
  show(named());
  if (!store.me.name) store.rename(await askName(""));
  connection.start();
}

byID("me").addEventListener("click", rename);
byID("skip").addEventListener("click", () => byID("text").focus());
byID("snippet-origin").textContent = JSON.stringify(new URL("ws", location.href.split("#")[0]).href.replace(/^http/, "ws"));
document.addEventListener("visibilitychange", seen);
addEventListener("pagehide", () => store.saveReads());
window.addEventListener("hashchange", () => show(named()));
window.addEventListener("storage", ({ key }) => {
  if (key === "wireroom.sent" && store.me.user) store.loadSent();
  store.changed();
});
start();
