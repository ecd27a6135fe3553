import { expect, it } from 'vitest';
import { createJobChannelOpener } from '../../../src/api/stream/job-channel.js';

it('reconciles a job for a viewer, unless the viewer joins others on an open channel', async () => {
  let reconciled = 0;
  let isKnownOpen = false;
  const open = createJobChannelOpener(
    {
      async reconcile() {
        reconciled++;
        return { job: undefined, epoch: 'e', end: 7 };
      },
    },
    async () => undefined,
    { isKnownOpen: (channel) => isKnownOpen && channel === 'job:steps.1' },
  );

  expect(await open('steps.1', 'e-7')).toEqual({ name: 'job:steps.1', over: true, stays: false });
  expect(reconciled).toBe(1);
  isKnownOpen = true;
  expect(await open('steps.1', 'e-6')).toEqual({ name: 'job:steps.1', stays: false });
  expect(await open('steps.1', undefined, true)).toEqual({ name: 'job:steps.1', stays: true });
  expect(reconciled).toBe(1);
  expect(await open('steps.2', 'e-6')).toEqual({ name: 'job:steps.2', over: false, stays: false });
  expect(reconciled).toBe(2);
});
