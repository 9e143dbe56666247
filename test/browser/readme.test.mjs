// The client in the README, as it stands there, in two tabs.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { launch } from "./page.mjs";
import { Server, freePort } from "./server.mjs";

const README = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
const ADDRESS = "ws://127.0.0.1:8080/ws";

let server, browser, folder, file;

before(async () => {
  // A file has the origin null, as the README says.
  server = await new Server(await freePort(), ["--origins", "null"]).start();
  browser = await launch();
  folder = mkdtempSync(join(tmpdir(), "wireroom-readme-"));
  file = join(folder, "client.html");
  const [, page] = README.match(/```html\n(.*?)```/s);
  assert.ok(page.split("\n").length <= 30, "the client has more than 30 lines");
  assert.ok(page.includes(ADDRESS));
  writeFileSync(file, page.replace(ADDRESS, `ws://127.0.0.1:${server.port}/ws`));
});

after(async () => {
  await browser?.close();
  await server?.stop("SIGKILL");
  if (folder) rmSync(folder, { recursive: true });
});

async function tab() {
  const page = await browser.newPage();
  await page.goto("file://" + file);
  return page;
}

async function say(page, text) {
  await page.fill("input", text);
  await page.press("input", "Enter");
}

test("two tabs talk, text stays text, and what was missed is shown", async () => {
  const [a, b] = [await tab(), await tab()];
  await b.waitForFunction("socket.readyState === 1");
  await say(a, "hello <b>there</b>");
  for (const page of [a, b]) await page.waitForSelector("p:has-text('hello <b>there</b>')");
  assert.equal(await b.locator("p b").count(), 0);

  await b.evaluate("socket.onclose({ code: 1006 }); socket.onmessage = null; socket.close()"); // as when the connection breaks
  await say(a, "missed");
  await b.waitForSelector("p:has-text('missed')");
  assert.equal(await b.locator("p:has-text('missed')").count(), 1);
  await say(b, "again");
  await a.waitForSelector("p:has-text('again')");
});
