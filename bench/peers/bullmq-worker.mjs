// The worker of the plain peer. Its jobs do what those in bench/job-files do, and report with BullMQ's updateProgress.
import { Worker } from 'bullmq';
import { paceOf } from '../lib/pace.mjs';
import { stamp } from '../lib/stamp.mjs';

const { hostname: host, port } = new URL(process.env.REDIS_URL);
const connection = { host, port: Number(port), maxRetriesPerRequest: null };

const jobs = {
  tiny: async () => null,
  async ticker(job) {
    const beat = paceOf(job.data.intervalMs);
    for (let current = 1; ; current++) {
      await beat();
      await job.updateProgress({ current, total: 1_000_000, unit: 'rows', message: stamp() });
    }
  },
};

const worker = new Worker('peer', (job) => jobs[job.name](job), {
  connection,
  concurrency: Number(process.env.CONCURRENCY),
});
await worker.waitUntilReady();
process.send({ type: 'ready' });
