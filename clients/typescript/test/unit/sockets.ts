// What tests of connections have in common: a server behind a WebSocket, and clients that are closed.

import { afterEach, beforeEach, expect, vi } from "vitest";
import type { Client } from "../../src/index.js";
import { FakeServer } from "./fake.js";

export let server: FakeServer;
const clients: Client[] = [];

/** Gives each test of a file a server of its own, and looks that its clients leave nothing behind. */
export function serveEach(): void {
  beforeEach(() => {
    vi.useFakeTimers();
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    server = new FakeServer();
  });
  afterEach(() => {
    for (const client of clients.splice(0)) {
      client.close();
    }
    expect(vi.getTimerCount()).toBe(0);
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });
}

/** Has a client closed at the end of the test. */
export const kept = <T extends Client>(client: T): T => {
  clients.push(client);
  return client;
};
