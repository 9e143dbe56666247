// Compiled, never run: the same with CommonJS.
import wireroom = require("wireroom");
import websocket = require("wireroom/websocket");

const client: wireroom.Client = wireroom.connect("ws://localhost/ws");
const socket: WebSocket = new websocket.default("ws://localhost/ws");
void [client, socket];
