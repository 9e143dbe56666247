import { once } from "node:events";
import { type AddressInfo, type Socket, connect, createServer } from "node:net";
import { expect, test } from "vitest";
import { startProxy } from "./proxy.js";

test("what passes before a cut is a beginning, however much follows at once", async () => {
  const text = Buffer.from(Array.from({ length: 200_000 }, (_, i) => `${i} `).join(""));
  const server = createServer((socket: Socket) => void socket.on("error", () => {}).once("data", () => socket.write(text))).listen(0, "127.0.0.1");
  await once(server, "listening");
  const proxy = await startProxy((server.address() as AddressInfo).port);
  for (const bytes of [1, 100, 65_536, 100_000]) {
    const client = connect(proxy.port, "127.0.0.1").on("error", () => {});
    await once(client, "connect");
    const heard: Buffer[] = [];
    client.on("data", (piece) => heard.push(piece));
    proxy.cutAfter(bytes);
    client.write("all of it");
    await once(client, "close");
    const all = Buffer.concat(heard);
    expect(all.length).toBeLessThanOrEqual(bytes);
    expect(all.equals(text.subarray(0, all.length))).toBe(true);
  }
  await proxy.close();
  server.close();
});
