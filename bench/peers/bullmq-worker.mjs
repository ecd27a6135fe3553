// A BullMQ worker that reports the same progress with BullMQ's updateProgress.
import { Worker } from 'bullmq';
import { paceOf } from '../lib/pace.mjs';

const { hostname: host, port } = new URL(process.env.REDIS_URL);
const connection = { host, port: Number(port), maxRetriesPerRequest: null };
const worker = new Worker(
  'peer',
  async (job) => {
    const beat = paceOf(Number(process.env.INTERVAL_MS));
    for (let current = 1; ; current++) {
      await beat();
      await job.updateProgress({
        jobId: job.id,
        attempt: 1,
        percent: current / 10_000,
        current,
        total: 1_000_000,
        unit: 'rows',
        message: '"mark"',
        ratePerSecond: 10,
        etaMs: 99_000_000,
        at: Date.now(),
      });
    }
  },
  { connection, concurrency: Number(process.env.JOBS) },
);
await worker.waitUntilReady();
process.send({ type: 'ready' });
