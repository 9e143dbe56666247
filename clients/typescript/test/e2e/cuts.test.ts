import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Gap, Message, Room, Transport } from "../../src/index.js";
import { connectTo } from "./kit.js";
import { type Proxy, startProxy } from "./proxy.js";
import { type Server, startServer, tokenOf } from "./server.js";

/** So many connections are cut, each at another moment. */
const cutsOf: [Transport, number][] = [
  ["websocket", 200],
  ["sse", 100],
  ["poll", 100],
];

/** A client that is cut again and again is behind by more than a room keeps by default. */
const keepsAll = "no_limits: true\nrules: [{pattern: '**', history: {messages: 100000, bytes: 1GiB}}]\n";

let folder: string;
let server: Server;
let proxy: Proxy;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "wireroom-cuts-"));
  const config = join(folder, "wireroom.yaml");
  await writeFile(config, keepsAll);
  server = await startServer({ secret: true, args: ["--config", config] });
  proxy = await startProxy(server.port);
});
afterAll(async () => {
  await proxy.close();
  await server.stop();
  await rm(folder, { recursive: true });
});

/** Reads a room up to the message that is the last one. */
async function readAll(room: Room<number>, isLast: (data: number) => boolean): Promise<(number | Gap)[]> {
  const all: (number | Gap)[] = [];
  for await (const m of room) {
    all.push(m.type === "message" ? m.data : m);
    if (m.type === "message" && isLast(m.data)) {
      break;
    }
  }
  return all;
}

/** Resolves when a room has delivered a message. */
function delivered(room: Room<number>, data: number): Promise<void> {
  return new Promise((resolve) => room.on("message", (m: Message<number>) => m.data === data && resolve()));
}

test.each(cutsOf)("over %s nothing is missing, twice or out of order after %d cuts", { timeout: 180_000 }, async (way, most) => {
  const cuts = proxy.broken + most;
  const transports = [way];
  const url = `ws://127.0.0.1:${proxy.port}/ws`;
  const backoff = { baseMs: 1, maxMs: 10 };
  const alice = connectTo(url, { token: tokenOf("alice"), transports, backoff, maxOutbox: 64 });
  const bob = connectTo(url, { token: tokenOf("bob"), transports, backoff });
  const rooms = [alice.room<number>(`cut-${way}`), bob.room<number>(`cut-${way}`)] as const;
  const heard = rooms.map((room) => {
    const all: (number | Gap)[] = [];
    room.on("message", (m) => all.push(m.data));
    room.on("gap", (gap) => all.push(gap));
    return all;
  });
  let end = Infinity;
  const read = rooms.map((room) => readAll(room, (data) => data >= end));
  await Promise.all(rooms.map((room) => room.joined));

  const acknowledged: Promise<unknown>[] = [];
  // On a slow machine more cuts have to be made until as much was said.
  const goesOn = () => proxy.broken < cuts || acknowledged.length <= most;
  const publishing = (async () => {
    for (let i = 0; goesOn(); i++) {
      acknowledged.push(rooms[0].publish(i));
      await alice.drain();
    }
  })();
  while (goesOn()) {
    await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 30));
    if (Math.random() < 0.5) {
      proxy.cut();
    } else {
      proxy.cutAfter(Math.ceil(Math.random() * 5_000));
    }
  }
  await publishing;
  const published = acknowledged.length;
  await Promise.all(acknowledged);
  end = published;
  const last = rooms.map((room) => delivered(room, published));
  await rooms[0].publish(published);
  await Promise.all(last);
  const streamed = await Promise.all(read);
  alice.close();
  bob.close();

  expect(published).toBeGreaterThan(most);
  for (const seen of [...heard, ...streamed]) {
    const wrong = seen.findIndex((data, i) => data !== i);
    expect({ wrong, around: wrong < 0 ? [] : seen.slice(Math.max(0, wrong - 5), wrong + 5) }).toEqual({ wrong: -1, around: [] });
    expect(seen).toHaveLength(published + 1);
  }
});

test("a server that has forgotten the room says so, and the room goes on", async () => {
  let own = await startServer({ secret: true });
  const client = connectTo(own.url, { token: tokenOf("carol") });
  const room = client.room<string>("forgotten");
  await room.publish("before");
  await own.stop("SIGKILL");
  const gap = new Promise<Gap>((resolve) => room.on("gap", resolve));
  own = await startServer({ secret: true, port: own.port });
  expect(await gap).toMatchObject({ reason: "epoch", room: "forgotten" });
  const heard = new Promise((resolve) => room.on("message", (m) => resolve(m.data)));
  await room.publish("after");
  expect(await heard).toBe("after");
  client.close();
  await own.stop();
});
