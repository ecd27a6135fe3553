import { describe, expect, it } from 'vitest';
import { buildRelease, hasCommit, PREVIOUS_RELEASE } from '../support/release.js';
import { runCampaign } from './campaign/campaign.js';
import { rollingUpgrade } from './campaign/upgrade.js';

describe('a rolling upgrade from the previous release', () => {
  it.skipIf(!hasCommit(PREVIOUS_RELEASE))(
    'loses and repeats nothing while processes of both releases share one Redis under load',
    async () => {
      const previous = buildRelease(PREVIOUS_RELEASE);
      const result = await runCampaign({
        seed: 1,
        category: 'plain',
        release: previous,
        sequence: rollingUpgrade(previous),
        faultMs: [500, 900],
        calmMs: [200, 400],
        startEveryMs: 800,
        jobsAtOnce: 4,
        publishEveryMs: [50, 300],
        boundMs: 40_000,
      });
      expect(result.lines, result.timeline.join('\n')).toEqual([]);
      expect(result.timeline.join('\n')).toContain('the previous release');
      expect(result.jobs).toBeGreaterThan(10);
      expect(result.events).toBeGreaterThan(1000);
    },
    // On a busy machine, each of the ten starts takes several seconds.
    240_000,
  );
});
