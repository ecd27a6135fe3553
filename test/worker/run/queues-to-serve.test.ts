import { expect, it } from 'vitest';
import { z } from 'zod';
import { defineExternalJob, defineJob, type JobDefinition } from '../../../src/shared/jobs/definition.js';
import { planQueues } from '../../../src/shared/jobs/queues.js';
import type { Config } from '../../../src/shared/process/config.js';
import { queuesToServe } from '../../../src/worker/run/workers.js';

const common = { input: z.unknown(), result: z.unknown() };
const registry = new Map(
  [
    defineJob({ name: 'ours', ...common, run: () => null }),
    defineExternalJob({ name: 'theirs', ...common }),
  ].map((job) => [job.name, job as JobDefinition]),
);
const served = (WORKER_JOBS: string): string[] =>
  queuesToServe(planQueues(registry, ''), registry, { WORKER_JOBS, WORKER_CONCURRENCY: 1 } as Config).map(
    ({ name }) => name,
  );

it('leaves the queues of other programs alone, and refuses to serve them', () => {
  expect(served('')).toEqual(['ours']);
  expect(served('ours')).toEqual(['ours']);
  expect(() => served('ours, theirs')).toThrow('WORKER_JOBS: "theirs" is run by a worker of another program');
});
