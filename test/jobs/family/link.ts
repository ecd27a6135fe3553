import { defineJob } from 'headway-jobs';
import { z } from 'zod';

/**
 * A job that starts its child, if it has one, with its own data. Tests build chains from copies of it with other names
 * and queues.
 */
export const link = (name: string, queue: string, child?: string) =>
  defineJob({
    name,
    queue,
    input: z.any(),
    result: z.any(),
    run: (data, ctx) => (child ? ctx.child(child, data) : 'done'),
  });
