// Compiled, never run: the types of the drop-in WebSocket and of the hooks.
import { connect } from "wireroom";
import { usePresence, useConnection, useRoom } from "wireroom/react";
import WebSocketAgain, { type ReconnectingEvent } from "wireroom/websocket";

const asWebSocket: WebSocket = new WebSocketAgain("wss://example.com", "chat");
const asClass: typeof WebSocket = WebSocketAgain;
void [asWebSocket, asClass];

const socket = new WebSocketAgain(async () => "wss://example.com", [], { maxQueue: 10, heartbeat: { message: "ping" } });
socket.addEventListener("reconnecting", (event) => {
  const typed: ReconnectingEvent = event;
  return typed.delayMs;
});
socket.addEventListener("message", (event) => event.data);
socket.onclose = (event) => event.code;
// @ts-expect-error: an object is not sent
socket.send({});

const client = connect("/ws");
const { messages, publish, room } = useRoom<{ text: string }>(client, "general", { last: 10, keep: 50 });
const text: string | undefined = messages[0]?.data.text;
void publish({ text });
const { members } = usePresence(room);
const name: string | undefined = members[0]?.name;
const { state } = useConnection(null);
void [name, state === "open"];
// @ts-expect-error: no such state
void (state === "lost");
