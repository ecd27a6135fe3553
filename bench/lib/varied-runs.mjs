// Runs of twelve kinds of jobs with what makes a remaining time hard to estimate: sizes, a setup, stages with the wrong
// weights, lumps, pauses, a slow machine, a new release, no percentage at all. The same seed gives the same runs.

/** A source of random numbers from 0 to 1 (mulberry32). */
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const normal = (random) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
/** A factor around 1. @param spread the standard deviation of its logarithm */
const factor = (random, spread) => Math.exp(spread * normal(random));

/** A course of a run: [share of its time, progress from 0 to 1] in order. The course is straight between two points. */
const straight = [
  [0, 0],
  [1, 1],
];
const curve = (of) => Array.from({ length: 51 }, (_, i) => [i / 50, of(i / 50)]);

/** Returns the share of the whole that is reached with each of the parts. */
function reachedWith(parts) {
  const sum = parts.reduce((total, part) => total + part, 0);
  return parts.map((_, i) => parts.slice(0, i + 1).reduce((total, part) => total + part, 0) / sum);
}

/** The course of stages that count as equal, but take different shares of the time. */
const stages = (shares) => [[0, 0], ...reachedWith(shares).map((at, i) => [at, (i + 1) / shares.length])];

/** Progress in a few lumps of different sizes. */
function lumps(random, count) {
  const times = Array.from({ length: count }, random).sort((a, b) => a - b);
  const reached = reachedWith(times.map(() => 0.2 + random()));
  const steps = times.flatMap((at, i) => [
    [at, reached[i - 1] ?? 0],
    [at + 1e-4, reached[i]],
  ]);
  return [[0, 0], ...steps, [1, 1]];
}

/** A straight course with a pause in the middle of it. */
function paused(random) {
  const [from, length] = [0.1 + 0.5 * random(), 0.3];
  const done = from / (1 - length);
  return [
    [0, 0],
    [from, done],
    [from + length, done],
    [1, 1],
  ];
}

const steady = (seconds, spread) => (random) => ({
  ms: 1000 * seconds * factor(random, spread),
  course: straight,
});

/** Creates a run of each kind, given how many runs of the kind came before. */
export const KINDS = {
  steady: steady(30, 0.25),
  brief: steady(4, 0.3),
  unlike: steady(60, 1),
  sized(random) {
    const total = Math.round(2000 * factor(random, 1.2));
    return { ms: (2000 + 15 * total) * factor(random, 0.15), total, course: straight };
  },
  setup(random) {
    const setup = 0.25 * factor(random, 0.2);
    return {
      ms: 40_000 * factor(random, 0.2),
      course: [
        [0, 0],
        [setup, 0],
        [1, 1],
      ],
    };
  },
  quickening: (random) => ({ ms: 50_000 * factor(random, 0.3), course: curve((t) => t ** 2) }),
  slowing(random) {
    const total = Math.round(500 * factor(random, 0.6));
    return { ms: 60 * total * factor(random, 0.2), total, course: curve((t) => 1 - (1 - t) ** 2) };
  },
  stages: (random) => ({
    ms: 90_000 * factor(random, 0.25),
    course: stages([0.6, 0.1, 0.3].map((share) => share * factor(random, 0.2))),
  }),
  lumps: (random) => ({ ms: 25_000 * factor(random, 0.3), course: lumps(random, 8) }),
  /** In one of ten runs, the machine is eight times slower. */
  slowMachine: (random) => ({
    ms: 20_000 * factor(random, 0.2) * (random() < 0.1 ? 8 : 1),
    course: straight,
  }),
  /** In half of the runs, a service does not answer for a while. */
  pauses: (random) => {
    const waits = random() < 0.5;
    return {
      ms: 30_000 * factor(random, 0.2) * (waits ? 1.43 : 1),
      course: waits ? paused(random) : straight,
    };
  },
  /** From its fortieth run on, the kind takes twice as long; it reports 100 % before it has stored its result. */
  release: (random, before) => ({
    ms: 35_000 * factor(random, 0.15) * (before < 40 ? 1 : 2),
    course: [
      [0, 0],
      [0.75, 1],
      [1, 1],
    ],
  }),
};

/** How many reports a run makes. */
const REPORTS = 150;
/** The speed of each run changes this often, by a factor of this spread. */
const [PIECES, UNEVEN] = [25, 0.4];

/** Returns how far a run is in its course at a share of its time: machines and services are not always equally fast. */
function unevenTime(random) {
  const reached = reachedWith(Array.from({ length: PIECES }, () => factor(random, UNEVEN)));
  const points = [[0, 0], ...reached.map((share, i) => [(i + 1) / PIECES, share])];
  return (time) => valueAt(points, time);
}

/**
 * Creates runs of all kinds in turn, each with its reports: the time since its start and the percentage. The time between
 * two reports varies.
 */
export function variedRuns(count, seed) {
  const random = seeded(seed);
  const kinds = Object.entries(KINDS);
  return Array.from({ length: count }, (_, i) => {
    const [kind, create] = kinds[i % kinds.length];
    const { ms, total, course } = create(random, Math.floor(i / kinds.length));
    const times = Array.from({ length: REPORTS }, () => ms * random()).sort((a, b) => a - b);
    const courseTime = unevenTime(random);
    const percentAt = (at) => Math.round(1e4 * valueAt(course, courseTime(at / ms))) / 100;
    const reports = times.map((at) => ({ ms: at, percent: percentAt(at) }));
    return { kind, ms, ...(total ? { total } : {}), reports };
  });
}

/** Returns the value of a line at a time. */
function valueAt(points, time) {
  const next = points.findIndex(([at]) => at >= Math.min(time, 1));
  if (next <= 0) return points[next === 0 ? 0 : points.length - 1][1];
  const [[t0, p0], [t1, p1]] = [points[next - 1], points[next]];
  return t1 === t0 ? p1 : p0 + ((p1 - p0) * (time - t0)) / (t1 - t0);
}
