// The lower bound for fan-out: a loop that writes one buffer to a socket for each viewer.
import { createServer } from 'node:net';
import { Redis } from 'ioredis';

const sockets = new Set();
const server = createServer((socket) => {
  socket.setNoDelay(true);
  socket.once('data', () => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nretry: 2000\n\n');
    sockets.add(socket);
  });
  socket.on('close', () => sockets.delete(socket));
  socket.on('error', () => {});
});
const redis = new Redis(process.env.REDIS_URL);
await redis.subscribe('bench');
redis.on('messageBuffer', (_channel, frame) => {
  for (const socket of sockets) socket.write(frame);
});
server.listen(0, '127.0.0.1', () => {
  process.send({ type: 'listening', url: `http://127.0.0.1:${server.address().port}` });
});
