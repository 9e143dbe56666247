// What docs/socketio.md has browsers do, as it stands there.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { stage } from "./stage.mjs";

const PAGE = readFileSync(new URL("../../docs/socketio.md", import.meta.url), "utf8");
const CLIENT = new URL("node_modules/socket.io-client/", import.meta.url);
const SECRET = "a secret of this test, and of nothing else";
const folder = mkdtempSync(join(tmpdir(), "wireroom-docs-"));
writeFileSync(join(folder, "secret"), SECRET);
after(() => rmSync(folder, { recursive: true }));

const set = stage(["--access", "anyone", "--anonymous", "--secret-file", join(folder, "secret")]);

/** The only block of a language. */
function block(language) {
  const blocks = [...PAGE.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "gs"))];
  assert.equal(blocks.length, 1, `blocks of ${language}`);
  return blocks[0][1];
}

/** A page of the server's origin with this on it, and what it writes to the console. */
async function open(t, html) {
  const context = await set.browser.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const said = [];
  page.on("console", (message) => message.type() !== "warning" && said.push(message.text())); // that scripts may be slow
  page.on("pageerror", (error) => said.push(String(error)));
  const { version } = JSON.parse(readFileSync(new URL("package.json", CLIENT)));
  await page.route(`https://cdn.socket.io/${version}/socket.io.min.js`, (route) => route.fulfill({ path: new URL("dist/socket.io.min.js", CLIENT).pathname }));
  await page.goto(`${set.server.url}healthz`); // a page of the same origin without anything on it
  await page.setContent(html);
  return { page, said };
}

async function until(what, holds) {
  for (const end = Date.now() + 20_000; !(await holds()); ) {
    assert.ok(Date.now() < end, what());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test("the page with the client joins, is told, and publishes", { timeout: 60_000 }, async (t) => {
  const { said } = await open(t, block("html").replace("http://127.0.0.1:8080", set.server.url));
  await until(() => `it said ${said}`, () => said.length === 2);
  assert.equal(said.filter((line) => line === "Ann hello").length, 1, said.join());
  assert.equal(said.filter((line) => /^true [a-z2-7]{8}\.1\.[0-9a-f]{8}$/.test(line)).length, 1, said.join());
});

function token(seconds) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const body = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: "ann", exp: Math.floor(Date.now() / 1000) + seconds })}`;
  return `${body}.${createHmac("sha256", SECRET).update(body).digest("base64url")}`;
}

test("a token is fetched when connecting and when it expires, and who has none is asked to sign in", { timeout: 60_000 }, async (t) => {
  const { page, said } = await open(t, '<script src="https://cdn.socket.io/4.8.4/socket.io.min.js"></script>');
  await page.evaluate(([url, tokens]) => {
    Object.assign(window, { url, fetched: 0, signedIn: 0, fetchToken: async () => tokens[window.fetched++], signIn: () => window.signedIn++ });
  }, [set.server.url, ["nonsense", token(50), token(3600)]]);
  await page.addScriptTag({ content: block("js") });
  await page.waitForFunction(() => window.signedIn === 1);
  await page.evaluate(() => {
    window.told = [];
    socket.onAny((name, it) => window.told.push(name, it.user, it.code));
    socket.connect(); // with the second token, which expires soon
  });
  await page.waitForFunction(() => window.fetched === 3); // asked for by token_expiring
  const found = await page.evaluate(async () => {
    const { ok } = await socket.emitWithAck("join", { room: "r" }); // behind the auth
    return { ok, told: window.told, signedIn: window.signedIn };
  });
  assert.deepEqual([found.ok, found.signedIn, found.told.includes("error"), found.told.includes("ann")], [true, 1, false, true], found.told.join());
  assert.deepEqual(said, []);
});
