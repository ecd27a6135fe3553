import { PRIORITY_LIMIT } from 'bullmq';
import { describe, expect, it } from 'vitest';
import { queueOptions } from '../../../src/shared/jobs/options.js';
import { MAX_PRIORITY } from '../../../src/shared/jobs/settings.js';

describe('the BullMQ options of a job', () => {
  it('allow the priorities that BullMQ allows', () => {
    expect(MAX_PRIORITY).toBe(PRIORITY_LIMIT);
  });

  it.each([
    ['one attempt by default', {}, {}, { attempts: 1 }],
    ["the definition's attempts", {}, { attempts: 3 }, { attempts: 3 }],
    [
      "the request's attempts, which take precedence over the definition's",
      { attempts: 2 },
      { attempts: 3 },
      { attempts: 2 },
    ],
    [
      'a fixed wait without jitter',
      { backoff: { type: 'fixed', delayMs: 7 } },
      {},
      { backoff: { type: 'fixed', delay: 7, jitter: 0 } },
    ],
    [
      'a growing wait with jitter by default',
      {},
      { backoff: { type: 'exponential', delayMs: 7 } },
      { backoff: { type: 'exponential', delay: 7, jitter: 0.5 } },
    ],
    [
      'a growing wait with the requested jitter',
      { backoff: { type: 'exponential', delayMs: 7, jitter: 0.1 } },
      { backoff: { type: 'fixed', delayMs: 1 } },
      { backoff: { type: 'exponential', delay: 7, jitter: 0.1 } },
    ],
  ] as const)('attempts and waits: %s', (_what, options, defaults, expected) => {
    expect(queueOptions(options, defaults).bullmq).toMatchObject(expected);
  });
});
