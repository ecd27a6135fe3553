import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RANK } from '../../src/shared/lifecycle/published.js';
import { block, page } from '../support/documentation.js';
import { runToEnd } from '../support/example.js';
import type { Headway } from '../support/headway.js';
import { borrowHeadway } from '../support/shared-headway.js';
import { openStream } from '../support/sse.js';

const protocol = page('docs/reference/redis-keys.md');

describe('publishing, as the reference describes it', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await borrowHeadway();
  });
  afterAll(() => headway.stop());

  it('works with redis-cli', async () => {
    const commands = block('publish');
    const stream = await openStream(`${headway.api.url}/stream?channel=public.score`);
    const ids = (await runToEnd(commands, { REDIS_URL: headway.redis.url })).trim().split('\n');
    await stream.waitFor('message');
    expect(stream.events).toEqual([
      { id: ids[0], event: 'ball', data: { over: '0.1', runs: 4 } },
      { id: ids[1], event: 'score', data: { runs: 4 } },
      { id: `${ids[2]}:over-1`, event: 'message', data: 'End of the over.\nThe score is 4.' },
    ]);
    stream.close();
    const late = await openStream(`${headway.api.url}/stream?channel=public.score`);
    expect((await late.waitFor('score')).data).toEqual({ runs: 4 });
    late.close();
  });

  it('has the ranks of the lifecycle', () => {
    const rows = protocol.matchAll(/^\| ((?:`[a-z]+`(?:, )?)+) \| (\d) \|/gm);
    const ranks = Array.from(rows, ([, names, rank]) =>
      names!.split(', ').map((name) => [name.slice(1, -1), Number(rank)]),
    ).flat();
    const { active, delayed, waiting, stalled, retrying, ended } = RANK;
    expect(Object.fromEntries(ranks)).toEqual({
      ...{ active, delayed, waiting, stalled, retrying },
      ...{ completed: ended, failed: ended, cancelled: ended },
    });
  });
});
