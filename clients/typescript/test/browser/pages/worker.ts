// A worker that is in a room: it publishes what the page tells it, and tells the page what it hears.
import { connect } from "wireroom";

declare const self: { onmessage: (event: { data: any }) => void; postMessage(data: unknown): void };

self.onmessage = ({ data: url }) => {
  const client = connect(url, { name: "worker" });
  const room = client.room<string>("work");
  room.on("message", (m) => self.postMessage(m.data));
  self.onmessage = ({ data }) => void room.publish(data);
  room.joined.then(() => self.postMessage("joined"));
};
