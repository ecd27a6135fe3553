import { setTimeout as sleep } from 'node:timers/promises';
import { threadId } from 'node:worker_threads';
import { defineJob } from 'headway-jobs';
import { z } from 'zod';

const state = { next: false, thrown: false };
const fail = (): never => {
  state.thrown = true;
  throw new Error('left behind');
};
const nextRuns = async (): Promise<void> => {
  while (!state.next) await sleep(10);
};
const ways = {
  rejection: () => void nextRuns().then(fail),
  timer: () => void nextRuns().then(() => setTimeout(fail)),
  microtask: () => void nextRuns().then(() => queueMicrotask(fail)),
};

/**
 * Completes at once. Later, while the next job runs in the same thread, it throws in the way that `how` names. The next
 * job has `how: 'next'` and completes after the error was thrown.
 */
export default defineJob({
  name: 'leaving',
  input: z.strictObject({ how: z.enum(['next', 'rejection', 'timer', 'microtask']) }),
  result: z.object({ threadId: z.number() }),
  thread: true,
  async run({ how }) {
    if (how !== 'next') {
      state.next = state.thrown = false;
      ways[how]();
      return { threadId };
    }
    state.next = true;
    while (!state.thrown) await sleep(10);
    // If the error ends the thread, it does so within this time.
    await sleep(50);
    return { threadId };
  },
});
