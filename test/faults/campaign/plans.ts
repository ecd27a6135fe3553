import type { Random } from '../../support/random.js';

/** What one job does, its options, and when it is cancelled, if at all. */
export interface JobPlan {
  kind: string;
  data: Record<string, unknown>;
  options: { attempts: number; backoff?: { type: 'fixed'; delayMs: number } };
  /** How long after its start the job is cancelled, in ms. */
  cancelAfterMs?: number;
  /** Whether it has a webhook. */
  hasHook: boolean;
}

/** Draws the plan of a job. */
export function drawPlan(random: Random, label: string): JobPlan {
  const kind = random.pick([
    'chatty',
    'chatty',
    'dense',
    'dense',
    'bulky',
    'staged',
    'family',
    'threaded',
  ] as const);
  const attempts = random.pick([1, 1, 1, 2, 3]);
  // Some jobs throw, and some of these in every attempt.
  const fails = random.chance(0.4) ? random.between(attempts === 1 ? 0 : 1, attempts) : 0;
  const plan: JobPlan = {
    kind,
    data: { label, fails, ...shapes[kind]!(random) },
    options: {
      attempts,
      ...(attempts > 1 ? { backoff: { type: 'fixed', delayMs: random.pick([0, 100, 600]) } } : {}),
    },
    hasHook: random.chance(0.3),
  };
  if (random.chance(0.1)) plan.cancelAfterMs = random.between(300, 3000);
  return plan;
}

const slow = (random: Random) => ({
  rounds: random.between(10, 60),
  each: { log: random.between(1, 3), event: random.between(0, 2), partial: random.between(0, 2) },
  pauseMs: random.between(20, 80),
  text: random.chance(0.5),
  pad: random.pick([0, 0, 200]),
});

const shapes: Record<string, (random: Random) => Record<string, unknown>> = {
  chatty: slow,
  staged: slow,
  threaded: slow,
  // Bursts of reports, with long pauses between.
  dense: (random) => ({
    rounds: random.between(3, 8),
    each: { log: random.between(50, 300), event: random.between(10, 60), partial: random.between(10, 60) },
    pauseMs: random.between(100, 500),
    text: random.chance(0.5),
  }),
  bulky: (random) => ({
    rounds: random.between(8, 20),
    each: { log: 1, event: random.between(0, 1), partial: 1 },
    pauseMs: random.between(30, 150),
    pad: random.pick([20_000, 60_000]),
    text: random.chance(0.5),
  }),
  family: (random) => ({
    rounds: random.between(5, 20),
    each: { log: 2, event: 1, partial: 0 },
    pauseMs: 50,
    children: random.between(1, 3),
  }),
};
