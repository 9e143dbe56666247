import { once } from "node:events";
import { type AddressInfo, type Socket, connect, createServer } from "node:net";

/** A TCP proxy between a client and a server, which cuts connections. */
export interface Proxy {
  port: number;
  /** How many connections were broken. */
  readonly broken: number;
  /** Breaks every connection, without a word in the WebSocket protocol. Returns how many there were. */
  cut(): number;
  /** Lets so many more bytes pass towards the client, of all connections together, then breaks them. */
  cutAfter(bytes: number): void;
  close(): Promise<void>;
}

/** Starts a proxy to a port of this machine. */
export async function startProxy(target: number): Promise<Proxy> {
  const pairs = new Set<[Socket, Socket]>();
  let left = Infinity;
  let broken = 0;
  const cut = (): number => {
    const count = pairs.size;
    for (const sockets of pairs) {
      for (const socket of sockets) {
        socket.destroy();
      }
    }
    pairs.clear();
    left = Infinity;
    broken += count;
    return count;
  };
  const listener = createServer((down) => {
    const up = connect(target, "127.0.0.1");
    const pair: [Socket, Socket] = [down, up];
    pairs.add(pair);
    down.on("data", (bytes) => up.write(bytes));
    up.on("data", (bytes) => {
      // A cut in the middle of a frame is a cut as well. What comes before it is done does not pass either.
      down.write(bytes.subarray(0, Math.max(0, Math.min(left, bytes.length))));
      left -= bytes.length;
      if (left <= 0) {
        setImmediate(cut);
      }
    });
    for (const socket of pair) {
      socket.setNoDelay();
      socket.on("error", () => {});
      socket.on("close", () => {
        pairs.delete(pair);
        down.destroy();
        up.destroy();
      });
    }
  }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  return {
    port: (listener.address() as AddressInfo).port,
    get broken() {
      return broken;
    },
    cut,
    cutAfter: (bytes) => {
      left = bytes;
    },
    async close() {
      listener.close();
      cut();
      await once(listener, "close");
    },
  };
}
