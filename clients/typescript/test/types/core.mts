// Compiled, never run: the types of the core, as an application with ES modules sees them.
import { type Client, type Gap, type Message, type Room, type SocketClass, WireroomError, connect } from "wireroom";
import { WebSocket } from "ws";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const is = <_T extends true>() => {};

const client: Client = connect("wss://example.com/ws", { token: async () => "t", name: "Ann", WebSocket, whenFull: "wait" });
const own: SocketClass = WebSocket;
connect(new URL("wss://example.com/ws"), { WebSocket: own, inbox: false, backoff: { baseMs: 1 } });

// @ts-expect-error: no such option
connect("/ws", { tokens: "t" });
// @ts-expect-error: an address is needed
connect();
// @ts-expect-error: not a policy
connect("/ws", { whenFull: "drop" });

interface Line {
  text: string;
}
const room: Room<Line> = client.room<Line>("general", { last: 20, presence: true, state: { mood: "fine" } });
room.on("message", (m) => is<Equal<typeof m, Message<Line>>>());
room.on("gap", (gap) => is<Equal<typeof gap.reason, Gap["reason"]>>());
room.on("left", (error) => is<Equal<typeof error, WireroomError | undefined>>());
// @ts-expect-error: no such event
room.on("messages", () => {});
// @ts-expect-error: the message is no string
room.on("message", (m: string) => m);

async function read(): Promise<void> {
  for await (const m of room) {
    // @ts-expect-error: it may be a gap, which has no data
    m.data;
    if (m.type === "message") {
      is<Equal<typeof m.data, Line>>();
    } else {
      is<Equal<typeof m, Gap>>();
    }
  }
  const { pos, ts } = await room.publish({ text: "hello" }, { event: "line", echo: false });
  is<Equal<typeof pos, string | undefined>>();
  is<Equal<typeof ts, number>>();
  await room.publish(new Uint8Array(3), { ephemeral: true });
  const sum = await client.request<number>("sum", [1, 2]);
  is<Equal<typeof sum, number>>();
  const { messages, refused } = await room.history({ before: pos, limit: 10 });
  is<Equal<typeof messages, Message<Line>[]>>();
  is<Equal<typeof refused, Gap["reason"] | undefined>>();
  await client.send("bob", "psst");
  const user: string = (await client.ready).user;
  client.inbox.on("message", (m) => m.from.user === user);
}
void read;

client.on("state", (status) => is<Equal<typeof status.state, "connecting" | "open" | "closed">>());
// @ts-expect-error: what is internal cannot be seen
client.inbox.join();
// @ts-expect-error: a client is made by connect
new WireroomError();

const error: unknown = undefined;
if (error instanceof WireroomError) {
  is<Equal<typeof error.code, string>>();
  is<Equal<typeof error.uncertain, boolean>>();
}
