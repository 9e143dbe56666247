import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Hostile, startHostile } from "./hostile.js";
import { type Server, startServer } from "./server.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
let server: Server;
let proxy: Hostile;

beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  await server.stop();
});

const chat = `
  const client = connect(process.argv.at(-1), { WebSocket, name: "Ann", connectTimeoutMs: 3000 });
  const room = client.room("built");
  const heard = new Promise((resolve) => room.on("message", resolve));
  room.joined
    .then(() => Promise.all([heard, room.publish("hello")]))
    .then(([m]) => {
      console.log(client.status.transport, m.data);
      client.close();
    });
`;

test.each([
  ["import", "refuse", "sse", "module", 'import { connect } from "wireroom"; import { WebSocket } from "ws";'],
  ["require", "refuse", "sse", "commonjs", 'const { connect } = require("wireroom"); const { WebSocket } = require("ws");'],
  ["import, without a WebSocket", "pass", "sse", "module", 'import { connect } from "wireroom"; delete globalThis.WebSocket; let WebSocket;'],
  ["import", "pass", "websocket", "module", 'import { connect } from "wireroom"; import { WebSocket } from "ws";'],
] as const)("in Node, by %s, where upgrades %s, it is %s", async (_, upgrades, transport, type, head) => {
  proxy = await startHostile(server.port, upgrades);
  const program = [`--input-type=${type}`, "--eval", head + chat, proxy.url];
  const { stdout } = await promisify(execFile)(process.execPath, program, { cwd: root, timeout: 30_000 });
  expect(stdout).toBe(`${transport} hello\n`);
  await proxy.close();
});
