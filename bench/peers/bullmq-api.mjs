// BullMQ and better-sse without Headway: QueueEvents in the API, and a session for each viewer.
import { createSession } from 'better-sse';
import { Queue, QueueEvents } from 'bullmq';
import express from 'express';

const { hostname: host, port } = new URL(process.env.REDIS_URL);
const connection = { host, port: Number(port), maxRetriesPerRequest: null };
const queue = new Queue('peer', { connection });
const events = new QueueEvents('peer', { connection });
const sessions = new Map();
events.on('progress', ({ jobId, data }) => {
  for (const session of sessions.get(jobId) ?? []) session.push(data, 'progress');
});
const app = express();
app.post('/jobs', async (_req, res) => {
  const jobs = await queue.addBulk(
    Array.from({ length: Number(process.env.JOBS) }, () => ({ name: 'ticker', data: {} })),
  );
  res.json(jobs.map(({ id }) => id));
});
app.get('/jobs/:id', async (req, res) => {
  const session = await createSession(req, res);
  const { id } = req.params;
  if (!sessions.has(id)) sessions.set(id, new Set());
  sessions.get(id).add(session);
  session.once('disconnected', () => sessions.get(id).delete(session));
});
const server = app.listen(0, '127.0.0.1', () => {
  process.send({ type: 'listening', url: `http://127.0.0.1:${server.address().port}` });
});
