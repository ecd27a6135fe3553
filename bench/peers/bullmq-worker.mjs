// A BullMQ worker that reports the same progress with BullMQ's own updateProgress.
import { Worker } from 'bullmq';

const { hostname: host, port } = new URL(process.env.REDIS_URL);
const connection = { host, port: Number(port), maxRetriesPerRequest: null };
const worker = new Worker(
  'peer',
  async (job) => {
    for (let current = 1; ; current++) {
      const at = Date.now();
      await job.updateProgress({
        jobId: job.id,
        attempt: 1,
        percent: current / 10_000,
        current,
        total: 1_000_000,
        unit: 'rows',
        message: '"mark"',
        at,
      });
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, Number(process.env.INTERVAL_MS) - (Date.now() - at))));
    }
  },
  { connection, concurrency: Number(process.env.JOBS) },
);
await worker.waitUntilReady();
process.send({ type: 'ready' });
