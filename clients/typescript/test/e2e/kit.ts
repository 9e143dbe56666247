import { WebSocket } from "ws";
import { type Client, type ConnectOptions, type Room, type Status, connect } from "../../src/index.js";

/** Connects from Node, with a back-off that does not make tests wait. */
export function connectTo(url: string, options: ConnectOptions = {}): Client {
  return connect(url, { WebSocket, backoff: { baseMs: 20, maxMs: 100 }, ...options });
}

/** Resolves with the next event of a type that passes a check. */
export function next<Event>(
  of: { on(type: any, listener: (event: any) => void): () => void },
  type: string,
  check: (event: Event) => boolean = () => true,
): Promise<Event> {
  return new Promise((resolve) => {
    const stop = of.on(type, (event: Event) => {
      if (check(event)) {
        stop();
        resolve(event);
      }
    });
  });
}

/** Resolves when the client is in a state. */
export async function inState(client: Client, state: Status["state"]): Promise<Status> {
  return client.state === state ? client.status : next<Status>(client, "state", (s) => s.state === state);
}

/** Resolves with what a room delivers, when there is so much of it. */
export function collect(room: Room, count: number): Promise<any[]> {
  const all: any[] = [];
  return new Promise((resolve) => {
    const stop = room.on("message", (m) => {
      if (all.push(m.data) === count) {
        stop();
        resolve(all);
      }
    });
  });
}
