import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Finding } from './records.js';

/** The states of BullMQ in which a job has not ended. */
const UNFINISHED = ['active', 'wait', 'prioritized', 'delayed', 'paused', 'waiting-children'];
/** How long removing everything that has expired may take, in ms. */
const PATIENCE_MS = 120_000;

/**
 * Checks what Redis holds after all jobs of a campaign have ended: no job is unfinished, and `keepMs` later nothing of a job
 * is left, except its webhook.
 * @param keepMs how long jobs are kept; 0 to skip the second check
 */
export async function checkRemains(redis: Redis, keepMs: number): Promise<Finding[]> {
  const findings: Finding[] = [];
  const find = (kind: string, keys: readonly string[]): void => {
    if (keys.length === 0) return;
    const text = `${keys.length} keys: ${keys.slice(0, 5).join(', ')}`;
    findings.push({ kind, subject: 'redis', text, at: Date.now() });
  };
  const within = async (ms: number, look: () => Promise<string[]>): Promise<string[]> => {
    const until = Date.now() + ms;
    let left = await look();
    while (left.length > 0 && Date.now() < until) {
      await sleep(500);
      left = await look();
    }
    return left;
  };
  const all = async (pattern: string): Promise<string[]> => {
    const keys: string[] = [];
    for await (const page of redis.scanStream({ match: pattern, count: 1000 })) keys.push(...page);
    return keys;
  };
  const unfinished = async (): Promise<string[]> =>
    (await Promise.all(UNFINISHED.map((state) => all(`{headway}:*:${state}`)))).flat();
  find('unfinished-jobs', await within(PATIENCE_MS, unfinished));
  if (keepMs === 0) return findings;
  await sleep(keepMs);
  // A BullMQ job's id contains the name of its queue and a dot.
  const ofJobs = async (): Promise<string[]> => [
    // Webhooks are kept for 30 days, because a delivery may be repeated for that long.
    ...(await all('headway:{job:*')).filter((key) => !key.endsWith(':webhook')),
    ...(await all('{headway}:*:*.*')),
  ];
  find('left-of-jobs', await within(PATIENCE_MS, ofJobs));
  return findings;
}
