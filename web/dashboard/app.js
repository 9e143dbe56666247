// The dashboard: how the machine fares that this page is connected to.

import { byID, setText } from "../parts/dom.js";
import { browserStorage } from "../parts/saved.js";
import { drawStatus, whyStopped } from "../parts/status.js";
import { Card } from "./card.js";
import { Feed } from "./feed.js";
import { KINDS } from "./reading.js";

const { lasting } = browserStorage();
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

let minutes = 5;
let pausedAt = 0;
let respanned = false;

// The token of the chat page: a server asks once a browser, not once a page. One that is refused is not tried again.
let offered = "";
function token(again) {
  const saved = lasting.load("token", "");
  if (again && saved === offered) return undefined;
  offered = saved;
  return saved || undefined;
}

const cards = KINDS.map((kind) => new Card(kind));
byID("cards").append(...cards.map(({ node }) => node));

const feed = new Feed({ rooms: KINDS.map(({ room }) => room), token, onChange: changed });

// Many changes, one drawing, of the newest: a page that is slow or out of sight skips what it did not draw.
let drawing = false;
function changed() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    draw();
  });
}

function draw() {
  drawConnection();
  if (!pausedAt) KINDS.forEach(({ room }, n) => cards[n].tell(feed.series.get(room), feed.refused.get(room), Date.now()));
  if (!pausedAt || respanned) drawCharts(pausedAt || feed.newest || Date.now());
  respanned = false;
}

function drawCharts(to) {
  KINDS.forEach(({ room }, n) => cards[n].draw(feed.series.get(room), to - minutes * 60_000, to));
}

function drawConnection() {
  const { phase, code, node, watching } = feed;
  byID("app").dataset.phase = phase;
  setText(byID("node"), node || "This machine");
  const title = `${node || "Dashboard"} · Wireroom`;
  if (document.title !== title) document.title = title;
  const looking = phase !== "live" ? "" : watching > 1 ? `${watching} people are looking` : watching === 1 ? "you are the only one looking" : "";
  setText(byID("watching"), looking ? `Dashboard · ${looking}` : "Dashboard");
  byID("banner").hidden = phase === "live" || phase === "connecting";
  const wantsToken = phase === "stopped" && /^(unauthorized|auth_timeout)$/.test(code);
  byID("token-form").hidden = !wantsToken;
  byID("banner-action").hidden = wantsToken;
  setText(byID("banner-text"), phase === "stopped" ? whyStopped(code) : lost());
  setText(byID("banner-action"), phase === "stopped" ? "Connect" : "Try now");
  drawStatus(feed);
}

function lost() {
  const { newest } = feed;
  return newest ? `The connection was lost. What you see is from ${clock.format(newest)}.` : "There is no connection to the server.";
}

function pause() {
  pausedAt = pausedAt ? 0 : feed.newest || Date.now();
  byID("app").toggleAttribute("data-paused", pausedAt > 0);
  setText(byID("pause-text"), pausedAt ? "Resume" : "Pause");
  byID("pause-icon").setAttribute("href", pausedAt ? "#icon-play" : "#icon-pause");
  setText(byID("paused"), pausedAt ? `Paused at ${clock.format(pausedAt)}` : "");
  changed();
}

byID("pause").addEventListener("click", pause);
byID("span").addEventListener("change", ({ target }) => {
  minutes = Number(target.value);
  respanned = true;
  changed();
});
byID("banner-action").addEventListener("click", () => feed.start());
byID("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const entered = byID("token").value.trim();
  if (!entered) return;
  lasting.save("token", entered);
  byID("token").value = "";
  feed.start();
});
setInterval(() => drawStatus(feed), 250);
feed.start();
draw();
