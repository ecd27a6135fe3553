// better-sse on Express with the least that lets viewers return: the publisher keeps every event in a Redis stream, and
// a viewer with a Last-Event-ID is sent those after it.
import { createChannel, createSession } from 'better-sse';
import express from 'express';
import { Redis } from 'ioredis';

const channel = createChannel();
const app = express();
const commands = new Redis(process.env.REDIS_URL);
app.get('/', async (req, res) => {
  const session = await createSession(req, res);
  if (session.lastId !== '') {
    for (const [id, [, data]] of await commands.xrange('log', `(${session.lastId}`, '+')) {
      session.push(JSON.parse(data), 'progress', id);
    }
  }
  channel.register(session);
});
const redis = new Redis(process.env.REDIS_URL);
await redis.subscribe('bench');
redis.on('message', (_channel, message) => {
  const { id, data } = JSON.parse(message);
  channel.broadcast(data, 'progress', { eventId: id });
});
const server = app.listen(Number(process.env.PORT), '127.0.0.1', () => {
  process.send({ type: 'listening', url: `http://127.0.0.1:${server.address().port}/` });
});
