import { WebSocket } from "ws";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Client, ConnectOptions, Gap, Message, Room, Status } from "../../src/index.js";
import { type Hostile, type Streams, type Upgrades, startHostile } from "./hostile.js";
import { collect, connectTo, inState, next } from "./kit.js";
import { type Server, startServer, tokenOf } from "./server.js";

let server: Server;
let bob: Client;
const clients: Client[] = [];
const proxies: Hostile[] = [];

beforeAll(async () => {
  server = await startServer({ secret: true, args: ["--no-limits"] });
  bob = connectTo(server.url, { token: tokenOf("bob"), transports: ["websocket"] });
});
afterEach(async () => {
  for (const client of clients.splice(0)) {
    client.close();
  }
  for (const proxy of proxies.splice(0)) {
    await proxy.close();
  }
});
afterAll(async () => {
  bob.close();
  await server.stop();
});

async function behind(upgrades: Upgrades, streams?: Streams): Promise<Hostile> {
  const proxy = await startHostile(server.port, upgrades, streams);
  proxies.push(proxy);
  return proxy;
}

function alice(proxy: Hostile, options: ConnectOptions = {}): Client {
  const client = connectTo(proxy.url, { token: tokenOf("alice"), connectTimeoutMs: 700, ...options });
  clients.push(client);
  return client;
}

/** What a client and another one say to each other arrives at both. */
async function talk(client: Client, name: string): Promise<void> {
  const room = client.room(name);
  const bobs = bob.room(name);
  await Promise.all([room.joined, bobs.joined]);
  const heard = [collect(room, 2), collect(bobs, 2)];
  await room.publish("from alice");
  await bobs.publish("from bob");
  expect(await Promise.all(heard)).toEqual([
    ["from alice", "from bob"],
    ["from alice", "from bob"],
  ]);
}

test.each<[Upgrades, Streams, string, string[]]>([
  ["pass", "pass", "websocket", ["/ws"]],
  ["refuse", "pass", "sse", ["/ws", "/sse"]],
  ["swallow", "pass", "sse", ["/ws", "/sse"]],
  ["refuse", "buffer", "poll", ["/ws", "/sse", "/poll"]],
  ["swallow", "buffer", "poll", ["/ws", "/sse", "/poll"]],
])("where upgrades %s and streams %s, it is %s", async (upgrades, streams, transport, asked) => {
  const proxy = await behind(upgrades, streams);
  const client = alice(proxy);
  await client.ready;
  expect(client.status.transport).toBe(transport);
  expect(proxy.asked.slice(0, asked.length)).toEqual(asked);
  await talk(client, `${upgrades} ${streams}`.replace(" ", "-"));
});

test("what works is remembered for the server, and tried first by the next client", async () => {
  const proxy = await behind("refuse");
  await alice(proxy).ready;
  proxy.asked.length = 0;
  const second = alice(proxy);
  await second.ready;
  expect(second.status.transport).toBe("sse");
  expect(proxy.asked).not.toContain("/ws");
});

test("a connection that was good is not given up for a worse one at once", async () => {
  const proxy = await behind("pass");
  const client = alice(proxy);
  await client.ready;
  proxy.upgrades = "refuse";
  proxy.asked.length = 0;
  proxy.cut();
  await next<Status>(client, "state", (s) => s.state === "open");
  expect(client.status.transport).toBe("sse");
  expect(proxy.asked.filter((path) => path === "/ws")).toHaveLength(3);
  await talk(client, "after-all");
});

test("a server that is not there at all is tried in every way, and found in the best when it is back", async () => {
  const own = await startServer({ secret: true });
  const client = connectTo(own.url, { token: tokenOf("alice"), backoff: { baseMs: 1, maxMs: 5 } });
  clients.push(client);
  await client.ready;
  await own.stop("SIGKILL");
  await next<Status>(client, "state", (s) => s.failures > 12);
  const again = await startServer({ secret: true, port: own.port });
  await inState(client, "open");
  await talkAlone(client);
  await again.stop();
});

async function talkAlone(client: Client): Promise<void> {
  const room = client.room("alone");
  await room.joined;
  const heard = collect(room, 1);
  await room.publish("hello");
  expect(await heard).toEqual(["hello"]);
}

test.each<[string, Streams]>([
  ["sse", "pass"],
  ["poll", "buffer"],
])("from %s it changes over to a WebSocket that works again, and loses nothing", async (transport, streams) => {
  const proxy = await behind("refuse", streams);
  const client = alice(proxy);
  const room = client.room<number>(`climbing-${transport}`);
  await room.joined;
  expect(client.status.transport).toBe(transport);
  const heard: unknown[] = [];
  room.on("message", (m) => heard.push(m.data));
  room.on("gap", (gap) => heard.push(gap));
  let published = 0;
  const publishing = (async () => {
    while (client.status.transport !== "websocket") {
      await Promise.all([room.publish(published++), bob.publish(room.name, published++)]);
    }
  })();
  proxy.upgrades = "pass";
  client.wake();
  await publishing;
  const last = next<Message>(room, "message", (m) => m.data === "last");
  await room.publish("last");
  await last;
  expect(heard).toHaveLength(published + 1);
  expect(new Set(heard).size).toBe(published + 1);
  // Nothing of the old way is left.
  proxy.asked.length = 0;
  await talk(client, `climbed-${transport}`);
  expect(proxy.asked).toEqual([]);
});

test("a stream of which only the beginning comes through is left for polls", async () => {
  const proxy = await behind("refuse", "stall");
  const client = alice(proxy);
  await client.ready;
  expect(client.status.transport).toBe("sse");
  const room = client.room("stalled");
  await room.joined;
  await new Promise((resolve) => setTimeout(resolve, 500));
  const heard = collect(room, 1);
  await bob.publish("stalled", "kept");
  client.wake();
  expect(await heard).toEqual(["kept"]);
});

test.each(["sse", "poll"] as const)("over %s a client may be in more rooms than one request takes, up to 48", async (way) => {
  const proxy = await behind("refuse");
  const client = alice(proxy, { transports: [way], inbox: false });
  const rooms = Array.from({ length: 48 }, (_, i) => client.room(`many-${i}`));
  await Promise.all(rooms.map((room) => room.joined));
  const heard = rooms.map((room) => collect(room, 1));
  await Promise.all(rooms.map((room, i) => bob.publish(room.name, i)));
  expect((await Promise.all(heard)).flat()).toEqual(rooms.map((_, i) => i));
  await expect(client.room("one-too-many").joined).rejects.toMatchObject({ code: "room_limit" });
  await rooms[0]?.leave();
  await client.room("there-is-place").joined;
});

test.each(["sse", "poll"] as const)("over %s a room that is refused ends alone", async (way) => {
  const client = alice(await behind("refuse"), { transports: [way], inbox: false });
  const refused = client.room("@bob");
  await expect(refused.joined).rejects.toMatchObject({ code: "forbidden" });
  const rooms: Room[] = [client.room("fine"), client.room("@carol")];
  await expect(rooms[1]?.joined).rejects.toMatchObject({ code: "forbidden" });
  await rooms[0]?.joined;
  expect(client.state).toBe("open");
});

test.each(["sse", "poll"] as const)("over %s rooms begin in different ways with one another", async (way) => {
  const name = (what: string) => `begin-${way}-${what}`;
  const pos: Record<string, string[]> = {};
  for (const what of ["last", "more", "since", "plain"]) {
    pos[what] = [];
    for (let i = 0; i < 5; i++) {
      pos[what]?.push((await bob.publish(name(what), i)).pos as string);
    }
  }
  const client = alice(await behind("refuse"), { transports: [way] });
  const rooms = [
    client.room(name("last"), { last: 1 }),
    client.room(name("more"), { last: 3 }),
    client.room(name("since"), { since: pos.since?.[1] }),
    client.room(name("plain"), { presence: true }),
  ];
  const heard = rooms.map(() => [] as unknown[]);
  rooms.forEach((room, i) => room.on("message", (m) => heard[i]?.push(m.data)));
  expect((await Promise.all(rooms.map((room) => room.joined))).map(({ count }) => count)).toEqual([1, 3, 3 - 1 + 1, 0]);
  const last = rooms.map((room) => next<Message>(room, "message", (m) => m.data === "end"));
  await Promise.all(rooms.map((room) => bob.publish(room.name, "end")));
  await Promise.all(last);
  expect(heard).toEqual([[4, "end"], [2, 3, 4, "end"], [2, 3, 4, "end"], ["end"]]);
  expect(rooms.map((room) => room.count)).toEqual([0, 0, 0, 1]);
});

test("a position that cannot be proven is a gap after a connection over HTTP was lost, too", async () => {
  let own = await startServer({ secret: true });
  for (const way of ["sse", "poll"] as const) {
    const client = connectTo(own.url, { token: tokenOf("carol"), transports: [way] });
    clients.push(client);
    const room = client.room<string>("forgotten");
    await room.publish("before");
    await room.joined;
    const gap = next<Gap>(room, "gap");
    await own.stop("SIGKILL");
    own = await startServer({ secret: true, port: own.port });
    expect(await gap).toMatchObject({ reason: "epoch", room: "forgotten" });
    client.close();
  }
  await own.stop();
});

test("without any WebSocket class there are streams", async () => {
  const proxy = await behind("pass");
  const given = globalThis.WebSocket;
  Reflect.deleteProperty(globalThis, "WebSocket");
  try {
    const client = alice(proxy, { WebSocket: undefined });
    await client.ready;
    expect(client.status.transport).toBe("sse");
    await talk(client, "no-class");
  } finally {
    if (given) {
      globalThis.WebSocket = given;
    }
  }
});

test("only what is allowed is used", async () => {
  const proxy = await behind("refuse");
  const client = alice(proxy, { transports: ["websocket"], maxAttempts: 4, WebSocket });
  await expect(client.ready).rejects.toMatchObject({ code: "disconnected" });
  expect(new Set(proxy.asked)).toEqual(new Set(["/ws"]));
});
