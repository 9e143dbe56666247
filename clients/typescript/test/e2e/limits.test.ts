import { afterAll, beforeAll, expect, test } from "vitest";
import type { Status } from "../../src/index.js";
import { collect, connectTo, next } from "./kit.js";
import { type Proxy, startProxy } from "./proxy.js";
import { type Server, freePort, startServer } from "./server.js";

/** What a client holds at most with nothing set: rooms of a connection, the inbox among them, and publishes not settled. */
const mostRooms = 128;
const fullOutbox = 1024;

let server: Server;
let proxy: Proxy;
let adminPort: number;

beforeAll(async () => {
  adminPort = await freePort();
  server = await startServer({ args: [`--admin-listen=127.0.0.1:${adminPort}`] }); // its limits are the defaults
  proxy = await startProxy(server.port);
});
afterAll(async () => {
  await proxy.close();
  await server.stop();
});

/** The numbers of the server whose names begin in one of these ways, by their names with labels. */
async function numbers(...beginnings: string[]): Promise<Record<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  const lines = text.split("\n").filter((line) => beginnings.some((beginning) => line.startsWith(beginning)));
  return Object.fromEntries(lines.map((line) => line.split(" ")).map(([name, value]) => [name, Number(value)]));
}

// At 30 a second it takes half a minute until all of it is stored: what is tested is the default itself.
test("coming back with as many rooms as may be and a full outbox meets no limit", { timeout: 180_000 }, async () => {
  const client = connectTo(`ws://127.0.0.1:${proxy.port}/ws`, { transports: ["websocket"] });
  await client.inbox.joined;
  const rooms = Array.from({ length: mostRooms - 1 }, (_, i) => client.room<number>(`room-${i}`));
  await Promise.all(rooms.map((room) => room.joined));
  const heard = [0, 1, 2].map((i) => collect(rooms[i] as (typeof rooms)[0], Math.ceil((fullOutbox - i) / 3)));
  const told: Status[] = [];
  client.on("state", (status) => told.push(status));

  const away = next<Status>(client, "state", (status) => status.state === "connecting");
  proxy.cut();
  await away;
  const published = Array.from({ length: fullOutbox }, (_, i) => (rooms[i % 3] as (typeof rooms)[0]).publish(i));
  await expect(client.publish("room-0", "one more")).rejects.toMatchObject({ code: "outbox_full" });

  const positions = await Promise.all(published);
  expect(new Set(positions.map(({ pos }) => pos)).size).toBe(fullOutbox);
  for (const [i, all] of (await Promise.all(heard)).entries()) {
    expect(all).toEqual(Array.from({ length: all.length }, (_, n) => 3 * n + i));
  }
  await Promise.all(rooms.map((room) => room.joined));
  expect(rooms.map((room) => room.stage)).toEqual(rooms.map(() => "joined"));

  // It came back once, and stayed: no close, no block, no room refused.
  expect(told.filter(({ state }) => state === "open")).toHaveLength(1);
  expect(told.flatMap(({ error }) => (error?.closeCode ?? 0) >= 4000 ? [error] : [])).toEqual([]);
  const counted = await numbers("wireroom_limit_closes_total", "wireroom_blocks_total", 'wireroom_refusals_total{reason="join_rate"}', 'wireroom_refusals_total{reason="rooms"}');
  expect(Object.keys(counted).length).toBeGreaterThan(5);
  expect(Object.entries(counted).filter(([, n]) => n > 0)).toEqual([]);
  client.close();
});
