// better-sse on Express, fed from Redis Pub/Sub as in its documentation.
import { createChannel, createSession } from 'better-sse';
import express from 'express';
import { Redis } from 'ioredis';

const channel = createChannel();
const app = express();
app.get('/', async (req, res) => {
  channel.register(await createSession(req, res));
});
const redis = new Redis(process.env.REDIS_URL);
await redis.subscribe('bench');
redis.on('message', (_channel, data) => channel.broadcast(JSON.parse(data), 'progress'));
const server = app.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
  process.send({ type: 'listening', url: `http://127.0.0.1:${server.address().port}/` });
});
