// A server that lets in only those who carry a token.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { freePort } from "./server.mjs";
import { newRoom, stage } from "./stage.mjs";

const SECRET = "a secret of this test, and of nothing else";
const folder = mkdtempSync(join(tmpdir(), "wireroom-secret-"));
writeFileSync(join(folder, "secret"), SECRET);
after(() => rmSync(folder, { recursive: true }));

const ADMIN_KEY = "a key of administrators";
writeFileSync(join(folder, "admin"), ADMIN_KEY);
const adminPort = await freePort();

const set = stage([
  "--access", "signed-in", "--secret-file", join(folder, "secret"), "--tokens-cookie", "session",
  "--admin-listen", `127.0.0.1:${adminPort}`, "--admin-key-file", join(folder, "admin"),
]);

/** Does what administrators do, by the HTTP API. */
async function administer(what, body) {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/api/${what}`, {
    method: "POST", headers: { Authorization: "Bearer " + ADMIN_KEY, "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  assert.equal(answer.status, 204, await answer.text());
}

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

/** Waits until a user is connected. */
async function present(user) {
  const until = Date.now() + 15_000;
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${adminPort}/api/connections?user=${user}`, { headers: { Authorization: "Bearer " + ADMIN_KEY } });
    if ((await answer.json()).connections.length > 0) return;
    assert.ok(Date.now() < until, `${user} does not come`);
  }
}

/** Takes the browser's complaints about statuses that were meant to be from a person. */
function meant(person, status) {
  const others = person.problems.splice(0).filter((text) => !text.includes(`status of ${status}`));
  person.problems.push(...others);
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
  await eve.shows("#banner-text", "The server did not accept the token.");
  assert.equal(await eve.page.evaluate(() => localStorage.getItem("wireroom.token")), null);
});

/** Runs in a page: connects as a program without a client of ours would, says what is to be said, and tells how it went. */
function connect({ url, protocols, says = [], stay = false }) {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, protocols ?? []);
    const said = { protocol: null, user: null, errors: [], code: null, reason: null };
    socket.onopen = () => {
      said.protocol = socket.protocol;
      for (const text of says) socket.send(typeof text === "string" ? text : JSON.stringify(text));
    };
    socket.onmessage = ({ data }) => {
      const envelope = JSON.parse(data);
      if (envelope.type === "error") said.errors.push(envelope.code);
      if (envelope.type !== "welcome") return;
      said.user = envelope.user;
      if (stay) return;
      resolve(said);
      socket.close(1000);
    };
    socket.onclose = ({ code, reason }) => resolve({ ...said, code, reason });
  });
}

test("what docs/auth.md has for a browser works as it stands there", async () => {
  const text = readFileSync(new URL("../../docs/auth.md", import.meta.url), "utf8").match(/```js\n(.*?)```/s)[1];
  const code = text.replaceAll("wss://chat.example", set.server.url.replace("http", "ws").replace(/\/$/, ""));
  assert.notEqual(code, text);
  const person = await turnedAway("Somebody");
  const users = await person.page.evaluate(`(async () => {
    const told = [];
    class Observed extends WebSocket {
      constructor(...how) {
        super(...how);
        told.push(new Promise((resolve) => {
          this.addEventListener("message", ({ data }) => JSON.parse(data).type === "welcome" && resolve(JSON.parse(data).user));
          this.addEventListener("close", ({ code, reason }) => resolve(code + " " + reason));
        }));
      }
    }
    await (async (token, WebSocket) => { ${code} })(${JSON.stringify(token({ sub: "ana" }))}, Observed);
    return Promise.all(told);
  })()`);
  assert.deepEqual(users, ["ana", "ana", "ana"]);
});

test("a browser's own WebSocket can present a token in every way there is", async () => {
  const person = await turnedAway("Somebody");
  const ws = set.server.url.replace("http", "ws") + "ws";
  const good = token({ sub: "ana" });
  const bad = token({ sub: "ana" }, "another secret, of the same length as that one");
  const encoded = (text) => "auth.b64." + Buffer.from(text).toString("base64url");
  const ways = (text) => ({
    query: { url: `${ws}?token=${text}` },
    "first message": { url: ws, says: [{ type: "auth", token: text }] },
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

});

test("a browser is told by the close that a user is blocked, and it is no 1006", async () => {
  const person = await turnedAway("Somebody");
  const ws = set.server.url.replace("http", "ws") + "ws";
  const text = token({ sub: "mallory" });
  const open = person.page.evaluate(connect, { url: `${ws}?token=${text}`, stay: true });
  await present("mallory");
  await administer("block", { user: "mallory", reason: "spam" });
  const ended = await open;
  assert.deepEqual([ended.user, ended.code], ["mallory", 4403], "who is in is put out");
  for (const how of [
    { url: `${ws}?token=${text}` }, { url: ws, protocols: ["wireroom.v1", "auth." + text] }, { url: ws, protocols: ["auth." + text] },
  ]) {
    const said = await person.page.evaluate(connect, how);
    assert.deepEqual([said.user, said.code, said.reason], [null, 4403, "forbidden"]);
    assert.equal(said.protocol, how.protocols?.[0] ?? "", "it was upgraded before it was closed");
  }
  const late = await person.page.evaluate(connect, { url: ws, says: Array(5).fill({ type: "auth", token: text }) });
  assert.deepEqual([late.user, late.errors[0]], [null, "forbidden"], "a first message is answered");
  const status = await person.page.evaluate(
    async (bearer) => (await fetch("/poll?room=r&wait=0", { headers: { Authorization: "Bearer " + bearer } })).status, text,
  );
  assert.equal(status, 403, "what is no upgrade has a status that a page can see");
  meant(person, 403);
  await administer("unblock", { user: "mallory" });
  assert.equal((await person.page.evaluate(connect, { url: `${ws}?token=${text}` })).user, "mallory");
});

test("a bad first message is answered; who goes on with bad ones is closed", async () => {
  const person = await turnedAway("Somebody");
  const url = set.server.url.replace("http", "ws") + "ws";
  const say = (...says) => person.page.evaluate(connect, { url, says });
  const [good, bad] = [{ type: "auth", token: token({ sub: "ana" }) }, { type: "auth", token: "not.a.token" }];
  const late = { type: "auth", token: token({ sub: "ana", exp: 1 }) };

  const second = await say(bad, late, { type: "join", room: "r" }, good);
  assert.deepEqual([second.errors, second.user], [["unauthorized", "token_expired", "unauthorized"], "ana"]);
  const guesses = await say(...Array(6).fill(bad));
  assert.deepEqual([guesses.errors, guesses.code, guesses.reason], [Array(5).fill("unauthorized"), 4401, "unauthorized"]);
  const nonsense = await say("nonsense", "[", "{}");
  assert.deepEqual([nonsense.errors, nonsense.code, nonsense.reason], [Array(3).fill("bad_request"), 4400, "bad_request"]);
});

test("a cookie lets in pages of the server's own origin, and no others", async () => {
  const person = await turnedAway("Somebody");
  const url = set.server.url.replace("http", "ws") + "ws";
  const jar = person.page.context();
  const session = { name: "session", url: set.server.url, httpOnly: true, sameSite: "Strict" };
  await jar.addCookies([{ ...session, value: token({ sub: "ana" }) }]);
  assert.equal(await person.page.evaluate(() => document.cookie), "", "no script sees it");
  assert.equal((await person.page.evaluate(connect, { url })).user, "ana");
  const poll = await person.page.evaluate(async () => (await (await fetch("/poll?room=r&wait=0")).json()).messages[0]);
  assert.deepEqual([poll.type, poll.user], ["welcome", "ana"]);
  const stream = await person.page.evaluate(() => new Promise((resolve) => {
    const source = new EventSource("/sse?room=r");
    source.addEventListener("welcome", ({ data }) => {
      resolve(JSON.parse(data).user);
      source.close();
    });
    source.onerror = () => resolve("an error");
  }));
  assert.equal(stream, "ana");

  // One that is not taken, and one of a user who is kept out.
  await jar.addCookies([{ ...session, value: token({ sub: "ana" }, "another secret, of the same length as that one") }]);
  const forged = await person.page.evaluate(connect, { url });
  assert.deepEqual([forged.code, forged.reason], [4401, "unauthorized"]);
  await administer("block", { user: "eve", reason: "spam" });
  await jar.addCookies([{ ...session, value: token({ sub: "eve" }) }]);
  const blocked = await person.page.evaluate(connect, { url });
  assert.deepEqual([blocked.code, blocked.reason], [4403, "forbidden"]);
  assert.equal(await person.page.evaluate(async () => (await fetch("/poll?room=r&wait=0")).status), 403);
  meant(person, 403);

  // A page of another origin makes the browser send it, too, when nothing says that it must not.
  await jar.addCookies([{ ...session, sameSite: "Lax", value: token({ sub: "ana" }) }]);
  const stranger = createServer((_, answer) => answer.end("<!doctype html><title>another site</title>"));
  await new Promise((resolve) => stranger.listen(0, "127.0.0.1", resolve));
  const page = await jar.newPage();
  await page.goto(`http://127.0.0.1:${stranger.address().port}/`); // another port: another origin, and the same cookies
  const refused = await page.evaluate(connect, { url });
  assert.deepEqual([refused.user, refused.code], [null, 1006], "it is not upgraded");
  const read = await page.evaluate((at) => fetch(at, { credentials: "include" }).then(() => "read", () => "refused"), set.server.url + "poll?room=r&wait=0");
  assert.equal(read, "refused");
  stranger.closeAllConnections();
  await new Promise((resolve) => stranger.close(resolve));
});
