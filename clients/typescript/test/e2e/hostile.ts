import { once } from "node:events";
import { type IncomingMessage, type Server, createServer, request } from "node:http";
import { type AddressInfo, type Socket, connect } from "node:net";

/** What a proxy does with upgrades: lets them through, refuses them, or keeps them without an answer. */
export type Upgrades = "pass" | "refuse" | "swallow";
/** What it does with streams: lets them through, or keeps what comes until the end, or all but what comes at once. */
export type Streams = "pass" | "buffer" | "stall";

/** An HTTP proxy that does not like what a client does. */
export interface Hostile {
  readonly url: string;
  readonly origin: string;
  upgrades: Upgrades;
  streams: Streams;
  /** The paths that were asked for, in order; `/ws` for each upgrade. */
  readonly asked: string[];
  /** Breaks every connection. */
  cut(): void;
  close(): Promise<void>;
}

/** Starts a proxy to a server of this machine. */
export async function startHostile(target: number, upgrades: Upgrades, streams: Streams = "pass"): Promise<Hostile> {
  const sockets = new Set<Socket>();
  const server = createServer((incoming, outgoing) => {
    const path = incoming.url?.split("?")[0] ?? "";
    hostile.asked.push(path);
    const forward = request(
      { host: "127.0.0.1", port: target, path: incoming.url, method: incoming.method, headers: incoming.headers },
      (answer) => {
        const stream = answer.headers["content-type"]?.startsWith("text/event-stream");
        if (stream && hostile.streams === "buffer") {
          keep(answer, (body) => outgoing.writeHead(answer.statusCode ?? 500, answer.headers).end(body));
          return;
        }
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        if (stream && hostile.streams === "stall") {
          const since = Date.now();
          answer.on("data", (piece) => Date.now() - since < 300 && outgoing.write(piece));
          answer.on("end", () => outgoing.end());
          return;
        }
        answer.pipe(outgoing);
      },
    );
    forward.on("error", () => outgoing.destroy());
    outgoing.on("close", () => forward.destroy());
    incoming.pipe(forward);
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  server.on("upgrade", (incoming, socket: Socket, head) => {
    hostile.asked.push("/ws");
    if (hostile.upgrades === "refuse") {
      socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    } else if (hostile.upgrades === "pass") {
      tunnel(incoming, socket, head, target);
    }
  });
  const port = await listening(server);
  const hostile: Hostile = {
    url: `ws://127.0.0.1:${port}/ws`,
    origin: `http://127.0.0.1:${port}`,
    upgrades,
    streams,
    asked: [],
    cut() {
      for (const socket of sockets) {
        socket.destroy();
      }
    },
    async close() {
      server.close();
      hostile.cut();
      await once(server, "close");
    },
  };
  return hostile;
}

async function listening(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

function keep(answer: IncomingMessage, then: (body: Buffer) => void): void {
  const pieces: Buffer[] = [];
  answer.on("data", (piece) => pieces.push(piece));
  answer.on("end", () => then(Buffer.concat(pieces)));
  answer.on("error", () => {});
}

function tunnel(incoming: IncomingMessage, down: Socket, head: Buffer, target: number): void {
  const up = connect(target, "127.0.0.1");
  const lines = [`${incoming.method} ${incoming.url} HTTP/1.1`];
  for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
    lines.push(`${incoming.rawHeaders[i]}: ${incoming.rawHeaders[i + 1]}`);
  }
  up.write(`${lines.join("\r\n")}\r\n\r\n`);
  up.write(head);
  up.pipe(down).pipe(up);
  up.on("error", () => down.destroy());
  down.on("error", () => up.destroy());
  up.on("close", () => down.destroy());
  down.on("close", () => up.destroy());
}
