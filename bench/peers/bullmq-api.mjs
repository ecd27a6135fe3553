// The API of the plain peer: BullMQ's Queue and QueueEvents, and a better-sse session for each viewer.
import { createSession } from 'better-sse';
import { Queue, QueueEvents } from 'bullmq';
import express from 'express';

const { hostname: host, port } = new URL(process.env.REDIS_URL);
const connection = { host, port: Number(port), maxRetriesPerRequest: null };
const queue = new Queue('peer', { connection });
const events = new QueueEvents('peer', { connection });
const sessions = new Map();
const push = (jobId, data, event) => {
  for (const session of sessions.get(jobId) ?? []) session.push(data, event);
};
events.on('progress', ({ jobId, data }) => push(jobId, data, 'progress'));
events.on('completed', ({ jobId, returnvalue }) => push(jobId, returnvalue, 'completed'));
events.on('failed', ({ jobId, failedReason }) => push(jobId, failedReason, 'failed'));

const app = express();
app.use(express.json({ limit: '1mb' }));
app.post('/jobs', async (req, res) => {
  const job = await queue.add(req.body.name, req.body.data);
  res.status(202).json({ id: job.id });
});
app.post('/batch', async (req, res) => {
  const jobs = await queue.addBulk(req.body.jobs);
  res.status(202).json({ jobs: jobs.map(({ id }) => ({ id })) });
});
app.get('/jobs/:id/events', async (req, res) => {
  const session = await createSession(req, res);
  const { id } = req.params;
  if (!sessions.has(id)) sessions.set(id, new Set());
  sessions.get(id).add(session);
  session.once('disconnected', () => sessions.get(id).delete(session));
});
const server = app.listen(0, '127.0.0.1', () => {
  process.send({ type: 'listening', url: `http://127.0.0.1:${server.address().port}` });
});
