// Waiting jobs in queues of the kinds of `varied-runs.mjs`, with some workers and other jobs before them. Some queues take their
// jobs only half as fast as their workers could.
import { KINDS, seeded } from './varied-runs.mjs';

/** How many jobs run at the same time. */
const SLOTS = [1, 2, 4, 8];
/** Maximum number of jobs before the watched one: most have few. */
const MOST_BEFORE = 40;
/** The share of slow queues, and how much slower they are. */
const [SLOW_SHARE, SLOWER] = [0.15, 2];
/** How many runs of the kind came before, at most. */
const MOST_EARLIER = 60;
/** A shorter wait needs no estimate, in ms. */
const MIN_WAIT_MS = 5000;

const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

/**
 * Creates waiting jobs: the earlier runs of their kind, newest first, and when each job before them is taken, and at last they
 * themselves, in ms since somebody watches.
 * @param kept how many earlier runs are known
 */
export function waitingJobs(count, seed, kept) {
  const random = seeded(seed);
  const kinds = Object.keys(KINDS);
  return Array.from({ length: count }, (_, i) => {
    const kind = kinds[i % kinds.length];
    const slots = SLOTS[Math.floor(i / kinds.length) % SLOTS.length];
    let nth = Math.floor(MOST_EARLIER * random());
    const run = () => KINDS[kind](random, nth++).ms;
    const earlier = Array.from({ length: kept }, run).reverse();
    const usual = mean(earlier);
    /** What is left of a run that was begun at some time: a long one is met more often. */
    const rest = () => {
      let ms = run();
      while (random() > ms / (5 * usual)) ms = run();
      return ms * random();
    };
    const free = Array.from({ length: slots }, rest);
    const slowest = random() < SLOW_SHARE ? (SLOWER * usual) / slots : 0;
    const before = Math.floor(1 + MOST_BEFORE * random() ** 2);
    const taken = [];
    for (let job = 0; job <= before; job++) {
      free.sort((a, b) => a - b);
      taken.push(Math.max(free[0], (taken.at(-1) ?? 0) + slowest));
      free[0] = taken.at(-1) + run();
    }
    return { kind, slots, earlier: earlier.map((ms) => ({ ms, marks: [] })), taken };
  }).filter(({ taken }) => taken.at(-1) >= MIN_WAIT_MS);
}
