// What tests of the ways without a WebSocket have in common: a server behind both ways, and clients that are closed.

import { afterEach, beforeEach, expect, vi } from "vitest";
import { type Client, type ConnectOptions, connect } from "../../src/index.js";
import { remember } from "../../src/memory.js";
import { FakeServer, settle } from "./fake.js";
import { FakeHttp, greeting } from "./fakehttp.js";

export let server: FakeServer;
export let http: FakeHttp;
/** What start made, to be closed at the end of the test. */
export const clients: Client[] = [];

/** Gives each test of a file a server of its own, and looks that its clients leave nothing behind. */
export function serveEach(): void {
  beforeEach(() => {
    vi.useFakeTimers();
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    server = new FakeServer();
    http = new FakeHttp();
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) {
      client.close();
    }
    await settle();
    expect(vi.getTimerCount()).toBe(0);
    remember("wireroom server.test");
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });
}

export async function start(options: ConnectOptions = {}): Promise<Client> {
  const client = connect("ws://server.test/app/ws?tenant=7", { WebSocket: server.WebSocket, inbox: false, ...options });
  clients.push(client);
  await passed();
  return client;
}

/** Lets what is loaded be loaded, and promises go on. */
export async function passed(ms = 0): Promise<void> {
  await vi.dynamicImportSettled();
  await vi.advanceTimersByTimeAsync(ms);
}

export const at = (offset: number) => `aaaaaaaa.${offset}.00000000`;
export const ok = (room: string, fields: object = {}) => ({ of: "join", room, pos: at(0), head: at(0), count: 0, ...fields });

/** A client over SSE that is let in, with its stream. */
export async function streaming(options: ConnectOptions = {}): Promise<Client> {
  const client = await start({ transports: ["sse"], ...options });
  await passed(1);
  await http.newest("/app/sse").event("welcome", greeting);
  return client;
}
