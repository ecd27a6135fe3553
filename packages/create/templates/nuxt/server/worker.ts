import { createWorker } from 'headway-jobs/worker';
import * as jobs from './jobs.ts';

const worker = await createWorker({ jobs: Object.values(jobs) });
console.log('The worker is ready.');

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => worker.close());
