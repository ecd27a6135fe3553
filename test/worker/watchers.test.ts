import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Headway } from '../support/headway.js';
import { borrowHeadway } from '../support/shared-headway.js';
import { openStream } from '../support/sse.js';
import { until } from '../support/until.js';

describe('ctx.watchers()', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await borrowHeadway();
  });
  afterAll(() => headway.stop());

  it.each(['watched', 'watched-thread'])(
    'returns the number of viewers of a job, including 0 (%s)',
    async (name) => {
      const started = await headway.client.start(name, {});
      // The job logs 0 while it has no viewers; later viewers see that line.
      const key = `headway:{job:${started.id}}:log`;
      await until('the job has logged 0 viewers', async () =>
        JSON.stringify(await headway.connection.xrange(key, '-', '+')).includes('watched by 0'),
      );
      const watch = () => openStream(headway.client.events(started), { token: started.token });
      const first = await watch();
      await first.waitFor(({ data }) => data.message === 'watched by 1');
      const second = await watch();
      await Promise.all([first.ended, second.ended]);
      expect(first.events.at(-1)).toMatchObject({ event: 'completed', data: { result: [0, 1, 2] } });
    },
  );
});
