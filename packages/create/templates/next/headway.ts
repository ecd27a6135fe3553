import { createHeadway, type Headway } from 'headway-jobs/server';
import * as jobs from './jobs.ts';

// The development server loads this module again after changes. The connections to Redis stay.
const kept = globalThis as { headway?: Promise<Headway> };

/** Returns the one Headway of this process. */
export function getHeadway(): Promise<Headway> {
  kept.headway ??= start();
  return kept.headway;
}

async function start(): Promise<Headway> {
  const headway = await createHeadway({ jobs: Object.values(jobs) });
  // Next.js ends when the open streams have ended.
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => headway.close());
  return headway;
}
