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

const set = stage(["--access", "signed-in", "--secret-file", join(folder, "secret")]);

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
