import { describe, expect, it } from 'vitest';
import { type CampaignOptions, runCampaign } from './campaign/campaign.js';

/** The default seed gives the same faults each time; `npm run soak` uses other seeds and runs longer. */
const seed = Number(process.env.SEED ?? 1);

/** Limits of a short campaign: the seed chooses a few of the many kinds of fault, each for a second. */
const SHORT: Partial<CampaignOptions> = {
  faultMs: [800, 1200],
  calmMs: [300, 700],
  startEveryMs: 900,
  jobsAtOnce: 4,
  publishEveryMs: [50, 300],
  boundMs: 40_000,
};

describe(`a campaign of faults (SEED=${seed}), checked against what the jobs recorded`, () => {
  it.each([
    ['plain', 6, 'after which Redis has all that it acknowledged'],
    ['loss', 2, 'after which Redis has forgotten something'],
  ] as const)(
    '%s: %i faults %s: everything reported arrives once and in order',
    async (category, faultCount, _what) => {
      const result = await runCampaign({ ...SHORT, seed, category, faultCount });
      const report = [
        `SEED=${seed}, ${category}: ${result.total} findings; records in ${result.folder}`,
        ...result.timeline,
        ...result.lines.slice(0, 30),
      ];
      expect(result.lines, report.join('\n')).toEqual([]);
      expect(result.jobs).toBeGreaterThan(1);
      expect(result.events).toBeGreaterThan(1000);
    },
    180_000,
  );
});
