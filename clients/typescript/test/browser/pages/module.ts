// The drop-in WebSocket as a page sees it, beside the browser's own.
import Reconnecting from "wireroom/websocket";

Object.assign(globalThis, { Reconnecting });
