// The chat over https:// and wss://, with a certificate of its own.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { newRoom, stage } from "./stage.mjs";

const folder = mkdtempSync(join(tmpdir(), "wireroom-tls-"));
after(() => rmSync(folder, { recursive: true }));
const [cert, key] = ["cert.pem", "key.pem"].map((name) => join(folder, name));
execFileSync("openssl", [
  "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=wireroom test",
  "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert,
], { stdio: "ignore" });

const set = stage(["--tls-cert-file", cert, "--tls-key-file", key]);
const trusting = { ignoreHTTPSErrors: true };

/** Resolves with the address of the next WebSocket that the page opens. */
const nextSocket = (person) => person.page.waitForEvent("websocket").then((socket) => socket.url());

test("people talk over wss://, and come back after a cut without a loss", async () => {
  const room = newRoom();
  const ana = await set.arrive("Ana", { room, breakable: true, ...trusting });
  const bea = await set.arrive("Bea", { room, ...trusting });
  await ana.say("hello over TLS");
  await bea.sees("hello over TLS");
  const again = nextSocket(ana);
  set.network.cut();
  await ana.phase("offline", "connecting");
  await bea.say("said meanwhile");
  set.network.heal();
  await ana.comesBack();
  assert.match(await again, /^wss:/);
  await ana.sees("said meanwhile");
});
