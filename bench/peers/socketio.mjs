// A server of rooms on Socket.IO, as one writes it: what is published goes to the room with to(room).emit. Envelopes are
// those that Wireroom's Socket.IO clients get. It prints its URL.
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const offsets = new Map(); // by room

const http = createServer();
const io = new Server(http, { transports: ['websocket'], perMessageDeflate: false, maxHttpBufferSize: 1 << 20 });
const position = (room) => `socketio.${offsets.get(room) ?? 0}.00000000`;

io.on('connection', (socket) => {
  const from = { user: 'anon-abcdefghijklmnopqrstuvwxyz', client: 'ABCDEFGHIJKLMNOPQRSTUVWXYZ' };
  socket.on('join', ({ room }, ack) => {
    socket.join(room);
    ack?.({ ok: true, room, pos: position(room) });
  });
  socket.on('publish', ({ room, data }, ack) => {
    offsets.set(room, (offsets.get(room) ?? 0) + 1);
    io.to(room).emit('message', { type: 'message', room, pos: position(room), from, ts: Date.now(), data });
    ack?.({ ok: true, room, pos: position(room) });
  });
});
http.listen(0, '127.0.0.1', 4096, () => console.log(`ws://127.0.0.1:${http.address().port}/socket.io/`));
