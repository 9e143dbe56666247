// A server that lets in only those who carry a token.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { newRoom, stage } from "./stage.mjs";

const SECRET = "a secret of this test, and of nothing else";
const folder = mkdtempSync(join(tmpdir(), "wireroom-secret-"));
writeFileSync(join(folder, "secret"), SECRET);
after(() => rmSync(folder, { recursive: true }));

const set = stage(["--access", "signed-in", "--secret-file", join(folder, "secret"), "--tokens-cookie", "session"]);

function token(claims, secret = SECRET) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const body = `${part({ alg: "HS256", typ: "JWT" })}.${part({ exp: Math.floor(Date.now() / 1000) + 3600, ...claims })}`;
  return `${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`;
}

async function enter(person, text) {
  await person.page.click("#banner-action");
  await person.page.fill("#token", text);
  await person.page.press("#token", "Enter");
}

async function turnedAway(name) {
  const person = await set.arrive("", { room: newRoom() });
  await person.page.fill("#name", name);
  await person.page.press("#name", "Enter");
  await person.phase("stopped");
  return person;
}

test("one is asked for a token, and is who it says, also after a reload", async () => {
  const ana = await turnedAway("Somebody");
  await ana.shows("#banner-text", "This server asks for an access token.");
  await enter(ana, token({ sub: "ana", name: "Ana" }));
  await ana.live();
  assert.equal(await ana.user(), "ana");
  await ana.shows("#my-name", "Ana");
  await ana.say("in");
  await ana.allSent();
  await ana.page.reload();
  await ana.live();
  assert.equal(await ana.user(), "ana");
});

test("a token that is not accepted is forgotten, and asked for again", async () => {
  const eve = await turnedAway("Eve");
  const withToken = eve.page.waitForEvent("websocket");
  const without = withToken.then(() => eve.page.waitForEvent("websocket"));
  await enter(eve, token({ sub: "ana" }, "another secret, of the same length as that one"));
  await without;
  await eve.phase("stopped");
  await eve.shows("#banner-text", "This server asks for an access token.");
  assert.equal(await eve.page.evaluate(() => localStorage.getItem("wireroom.token")), null);
});

/** Runs in a page: connects as a program without a client of ours would, and tells how it went. */
function connect({ url, protocols, first }) {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, protocols ?? []);
    const said = { protocol: null, user: null, code: null, reason: null };
    socket.onopen = () => {
      said.protocol = socket.protocol;
      if (first) socket.send(JSON.stringify(first));
    };
    socket.onmessage = ({ data }) => {
      const envelope = JSON.parse(data);
      if (envelope.type !== "welcome") return;
      said.user = envelope.user;
      resolve(said);
      socket.close(1000);
    };
    socket.onclose = ({ code, reason }) => resolve({ ...said, code, reason });
  });
}

test("a browser's own WebSocket can present a token in every way there is", async () => {
  const person = await turnedAway("Somebody");
  const ws = set.server.url.replace("http", "ws") + "ws";
  const good = token({ sub: "ana" });
  const bad = token({ sub: "ana" }, "another secret, of the same length as that one");
  const encoded = (text) => "auth.b64." + Buffer.from(text).toString("base64url");
  const ways = (text) => ({
    query: { url: `${ws}?token=${text}` },
    "first message": { url: ws, first: { type: "auth", token: text } },
    subprotocol: { url: ws, protocols: ["wireroom.v1", "auth." + text] },
    "subprotocol alone": { url: ws, protocols: ["auth." + text] },
    "encoded subprotocol": { url: ws, protocols: ["wireroom.v1", encoded(text)] },
  });
  for (const [way, how] of Object.entries(ways(good))) {
    const said = await person.page.evaluate(connect, how);
    assert.equal(said.user, "ana", way);
    assert.equal(said.protocol, how.protocols?.[0] ?? "", way);
  }
  for (const [way, how] of Object.entries(ways(bad))) {
    if (way === "first message") continue; // it leaves the connection open for another one
    const said = await person.page.evaluate(connect, how);
    assert.deepEqual([said.code, said.reason], [4401, "unauthorized"], way); // and not 1006
  }

  // A ticket, which stands for the token once.
  const ticket = await person.page.evaluate(async (text) => {
    const answer = await fetch("/api/tickets", { method: "POST", headers: { Authorization: "Bearer " + text } });
    return (await answer.json()).ticket;
  }, good);
  assert.equal((await person.page.evaluate(connect, { url: `${ws}?ticket=${ticket}` })).user, "ana");
  assert.equal((await person.page.evaluate(connect, { url: `${ws}?ticket=${ticket}` })).code, 4401);

  // A cookie, which the browser sends by itself.
  await person.page.context().addCookies([{ name: "session", value: good, url: set.server.url }]);
  assert.equal((await person.page.evaluate(connect, { url: ws })).user, "ana");
});
