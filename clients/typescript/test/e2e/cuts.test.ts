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

let server: Server;
let proxy: Proxy;

beforeAll(async () => {
  server = await startServer({ secret: true, args: ["--no-limits"] });
  proxy = await startProxy(server.port);
});
afterAll(async () => {
  await proxy.close();
  await server.stop();
});

/** Reads a room to its end. */
async function readAll(room: Room<number>): Promise<(number | Gap)[]> {
  const all: (number | Gap)[] = [];
  for await (const m of room) {
    all.push(m.type === "message" ? m.data : m);
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
  const read = rooms.map(readAll);
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
  const last = rooms.map((room) => delivered(room, published));
  await rooms[0].publish(published);
  await Promise.all(last);
  alice.close();
  bob.close();

  expect(published).toBeGreaterThan(most);
  const all = Array.from({ length: published + 1 }, (_, i) => i);
  for (const seen of [...heard, ...(await Promise.all(read))]) {
    expect(seen).toEqual(all);
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
