import { defineJob } from 'headway-jobs';
import { z } from 'zod';
import { openRedis } from '../support/job-redis.js';

/**
 * A job that a test steers: it takes one instruction after another from the Redis list `turns` (`lpush`). A number
 * reports a percentage, an object a progress update. `log <line>`, `emit {"type", "data"}` and `partial [chunk, …]` make
 * the other reports. `end` completes the job and `fail` fails the attempt. `TURNS_REDIS_URL` names another Redis for the
 * list.
 */
export default defineJob({
  name: 'steered',
  input: z.strictObject({ turns: z.string() }),
  result: z.object({ attempt: z.number() }),
  async run({ turns }, ctx) {
    const url = process.env.TURNS_REDIS_URL ?? process.env.REDIS_URL!;
    const redis = await openRedis(url);
    try {
      for (;;) {
        const turn = (await redis.brpop(turns, 1).catch(() => undefined))?.[1];
        ctx.signal.throwIfAborted();
        if (turn === undefined) continue;
        if (turn === 'end') return { attempt: ctx.attempt };
        if (turn === 'fail') throw new Error('asked to fail');
        const [, verb, text = ''] = /^([a-z]+) (.*)/s.exec(turn) ?? [];
        if (verb === 'log') ctx.log(text);
        else if (verb === 'emit') ctx.emit(JSON.parse(text).type, JSON.parse(text).data);
        else if (verb === 'partial') for (const chunk of JSON.parse(text)) ctx.partial(chunk);
        else ctx.progress(JSON.parse(turn));
      }
    } finally {
      redis.disconnect();
    }
  },
});
