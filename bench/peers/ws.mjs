// A server of rooms on ws (https://github.com/websockets/ws), as one writes it: what is published goes to each member
// with send. It speaks as much of Wireroom's words as `wireroom bench` needs, in messages of the same size; /echo sends
// back what comes. It prints its URL.
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const rooms = new Map(); // name -> { offset, members }

function join(socket, envelope) {
  let room = rooms.get(envelope.room);
  if (!room) rooms.set(envelope.room, (room = { offset: 0, members: new Set() }));
  room.members.add(socket);
  socket.rooms.add(room);
  socket.send(JSON.stringify({ type: 'ok', id: envelope.id, of: 'join', room: envelope.room, pos: position(room) }));
}

function publish(socket, envelope) {
  const room = rooms.get(envelope.room) ?? { offset: 0, members: new Set() };
  room.offset++;
  const message = Buffer.from(JSON.stringify({
    type: 'message', room: envelope.room, pos: position(room), from: socket.from, ts: Date.now(), data: envelope.data,
  }));
  for (const member of room.members) member.send(message, { binary: false });
  if (envelope.id !== undefined) {
    socket.send(JSON.stringify({ type: 'ok', id: envelope.id, of: 'publish', room: envelope.room, pos: position(room) }));
  }
}

const position = (room) => `wsonnode.${room.offset}.00000000`;

const http = createServer();
const sockets = new WebSocketServer({ server: http, perMessageDeflate: false, clientTracking: false, maxPayload: 1 << 20 });
sockets.on('connection', (socket, request) => {
  socket.on('error', () => socket.terminate());
  if (request.url === '/echo') {
    socket.on('message', (data) => socket.send(data, { binary: false }));
    return;
  }
  socket.rooms = new Set();
  socket.from = { user: 'anon-abcdefghijklmnopqrstuvwxyz', client: 'ABCDEFGHIJKLMNOPQRSTUVWXYZ' };
  socket.on('message', (data) => {
    const envelope = JSON.parse(data);
    if (envelope.type === 'publish') publish(socket, envelope);
    else if (envelope.type === 'join') join(socket, envelope);
  });
  socket.on('close', () => {
    for (const room of socket.rooms) room.members.delete(socket);
  });
});
http.listen(0, '127.0.0.1', 4096, () => console.log(`ws://127.0.0.1:${http.address().port}/ws`));
