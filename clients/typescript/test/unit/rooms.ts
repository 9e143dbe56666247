// What tests of rooms have in common: a client that is connected, and rooms that it has joined.

import { beforeEach } from "vitest";
import type { Client, Room } from "../../src/index.js";
import { joinReply } from "./fake.js";
import { kept, serveEach, server } from "./sockets.js";

export let client: Client;

/** Gives each test of a file a server of its own, and a client that is connected to it. */
export function connectEach(): void {
  serveEach();
  beforeEach(async () => {
    client = kept(await server.open());
  });
}

/** Returns a position in a room's log. */
export const at = (offset: number, epoch = "aaaaaaaa") => `${epoch}.${offset}.00000000`;

/** Joins a room, and notes what it tells. */
export function joined(name = "r", options = {}, fields: object = {}): { room: Room; told: any[] } {
  const room = client.room(name, options);
  const told: any[] = [];
  for (const type of ["message", "gap", "joined", "left"] as const) {
    room.on(type, (event: any) => told.push(type === "message" ? event.data : [type, event?.reason ?? event?.code]));
  }
  server.socket.push(joinReply(server.socket.of("join").at(-1), at(0), fields));
  return { room, told };
}

/** Loses the connection and lets the client in again. */
export async function reconnect(): Promise<void> {
  server.socket.drop();
  (await server.next()).welcome();
}
