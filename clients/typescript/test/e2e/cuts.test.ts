import { afterAll, beforeAll, expect, test } from "vitest";
import type { Gap, Message } from "../../src/index.js";
import { connectTo } from "./kit.js";
import { type Proxy, startProxy } from "./proxy.js";
import { type Server, startServer, tokenOf } from "./server.js";

/** So many connections are cut, each at another moment. */
const cuts = 200;

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

test(`nothing is missing, twice or out of order after ${cuts} cuts`, { timeout: 120_000 }, async () => {
  const url = `ws://127.0.0.1:${proxy.port}/ws`;
  const fast = { baseMs: 1, maxMs: 10 };
  const alice = connectTo(url, { token: tokenOf("alice"), backoff: fast, maxOutbox: 64, whenFull: "wait" });
  const bob = connectTo(url, { token: tokenOf("bob"), backoff: fast });
  const clients = [alice, bob];
  const rooms = [alice.room<number>("cut"), bob.room<number>("cut")];
  const heard: number[][] = [[], []];
  const gaps: Gap[] = [];
  rooms.forEach((room, i) => {
    room.on("message", (m) => heard[i]?.push(m.data));
    room.on("gap", (gap) => gaps.push(gap));
  });
  const iterated: number[] = [];
  const iteration = (async () => {
    for await (const m of rooms[1] as AsyncIterable<Message<number> | Gap>) {
      if (m.type === "message") {
        iterated.push(m.data);
      }
    }
  })();
  await Promise.all(rooms.map((room) => room.joined));

  let done = false;
  let sent = 0;
  const positions: Promise<unknown>[] = [];
  const publishing = (async () => {
    while (!done) {
      positions.push((rooms[0] as (typeof rooms)[0]).publish(sent++));
      await alice.drain();
    }
  })();
  for (let i = 0; i < cuts; ) {
    if (i % 2 === 0) {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 30));
      i += Math.min(1, proxy.cut());
    } else {
      const closed = new Promise<void>((resolve) => {
        const stop = clients[0]?.on("state", () => {
          stop?.();
          resolve();
        });
      });
      proxy.cutAfter(Math.ceil(Math.random() * 20_000));
      await closed;
      i++;
    }
  }
  done = true;
  await publishing;
  await Promise.all(positions);
  const marks = rooms.map((room) => new Promise((resolve) => room.on("message", (m) => m.data === -1 && resolve(0))));
  await rooms[0]?.publish(-1);
  await Promise.all(marks);
  for (const client of clients) {
    client.close();
  }
  await iteration;

  const all = [...Array.from({ length: sent }, (_, i) => i), -1];
  expect(sent).toBeGreaterThan(cuts);
  expect(gaps).toEqual([]);
  expect(heard[0]).toEqual(all);
  expect(heard[1]).toEqual(all);
  expect(iterated).toEqual(all);
});

test("a server that is killed and started again stores nothing twice that it still knows", async () => {
  const path = await startProxy(server.port);
  const client = connectTo(`ws://127.0.0.1:${path.port}/ws`, { token: tokenOf("carol") });
  const room = client.room<number>("silence");
  await room.joined;
  path.freeze();
  const lost = room.publish(1);
  path.cut();
  // The proxy stays frozen for connections that there are; those that come are let through by another.
  await expect(Promise.race([lost, new Promise((resolve) => setTimeout(resolve, 200, "open"))])).resolves.toBe("open");
  client.close();
  await expect(lost).rejects.toMatchObject({ code: "closed" });
  await path.close();
});
