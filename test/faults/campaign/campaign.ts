import { setMaxListeners } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Random, seeded } from '../../support/random.js';
import { runChannelCase } from './channel-case.js';
import { type Fault, NO_FAULT, PLAIN_FAULTS } from './faults.js';
import { runFileCase } from './file-case.js';
import { GroundTruth } from './ground-truth.js';
import { type Holding, holdings } from './holdings.js';
import { type Hooks, startHooks } from './hooks.js';
import { runJobCase } from './job-case.js';
import { LOSS_FAULTS } from './loss-faults.js';
import { checkMemory, type MemorySeries, watchMemory } from './memory.js';
import { drawPlan } from './plans.js';
import type { FaultRecord, Finding } from './records.js';
import { checkRemains } from './remains.js';
import { Report } from './report.js';
import { type Service, startService } from './service.js';
import { FINAL, type Stage } from './stage.js';

/** Short, so that jobs of killed workers run again soon, and long enough for a busy machine. */
const LOCK_MS = 5000;

/** Short, so that the memory of Redis stays the same. */
const KEEP_MS = 120_000;

/** How many other jobs there are for each job with a file. */
const FILE_EVERY = 5;

export interface CampaignOptions {
  seed: number;
  /** `plain`: Redis keeps what it has acknowledged. `loss`: Redis loses some of that. */
  category: 'plain' | 'loss';
  /** The number of faults. Every kind occurs once before any is repeated. */
  faultCount?: number;
  /** How long faults are caused, in ms, instead of `faultCount`. */
  ms?: number;
  /** The kinds of fault. Defaults to all of the category. */
  kinds?: readonly string[];
  /** These faults in this order, instead of `kinds`, `faultCount` and `ms`. */
  sequence?: readonly Fault[];
  /**
   * Whether one API process and one worker are spared by the faults that stop processes, and their memory is checked. With
   * `loss` it is only recorded.
   */
  checksMemory?: boolean;
  /** Whether to wait until Redis should have removed every job, and check that nothing is left. Only with `plain`. */
  checksRemains?: boolean;
  /** The folder of the release that the processes run at first. Defaults to the checkout. */
  release?: string;
  /** Length of a fault and of the pause after it, in ms: minimum and maximum. */
  faultMs?: readonly [number, number];
  calmMs?: readonly [number, number];
  apis?: number;
  workers?: number;
  /** Time between the starts of jobs, in ms, while fewer than `jobsAtOnce` run. */
  startEveryMs?: number;
  jobsAtOnce?: number;
  /** Time between two publications to a channel, in ms: minimum and maximum. */
  publishEveryMs?: readonly [number, number];
  /** Maximum time until everything ends after the last fault, in ms. */
  boundMs?: number;
  /** Called at each fault. */
  onFault?: (line: string) => void;
}

export interface CampaignResult {
  findings: Finding[];
  total: number;
  /** Each finding as a line. */
  lines: string[];
  timeline: string[];
  /** Findings by fault, then by kind. */
  byFault: Map<string, Map<string, number>>;
  jobs: number;
  viewers: number;
  events: number;
  faults: number;
  memory: MemorySeries[];
  /** What Redis held while the load lasted; none without `checksMemory`. */
  held: Holding[];
  /** The folder with records, findings and timeline. It is removed if there was no finding. */
  folder: string;
}

/** Runs jobs and channels under faults, and checks that every report arrived. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const { seed, category, apis = 2, workers = 2, boundMs = 25_000, release } = options;
  const { checksMemory = false, checksRemains = false, publishEveryMs = [10, 150] } = options;
  const random = seeded(seed);
  const folder = mkdtempSync(join(tmpdir(), `headway-campaign-${seed}-${category}-`));
  const report = new Report(folder);
  const faults: FaultRecord[] = [];
  const counts = { jobs: 0, viewers: 0, events: 0 };
  const overdue = new AbortController();
  const stopped = new AbortController();
  // Each viewer waits for the last fault, so there are many listeners.
  setMaxListeners(0, overdue.signal, stopped.signal);
  let setCalm = (): void => {};
  let memory: MemorySeries[] = [];
  let held: Holding[] = [];
  let service: Service | undefined;
  let hooks: Hooks | undefined;
  try {
    // The jobs of a Redis that loses data are checked at the end.
    const keepMs = category === 'loss' ? 24 * 60 * 60_000 : KEEP_MS;
    service = await startService({
      folder,
      apis,
      workers,
      lockMs: LOCK_MS,
      keepMs,
      release,
      lasting: checksMemory,
    });
    hooks = await startHooks(random.fork());
    const watch = checksMemory ? watchMemory(service) : undefined;
    const stage: Stage = {
      url: service.url,
      hooks,
      truth: new GroundTruth(service.truth),
      random: random.fork(),
      faults: () => faults,
      checkOptions: () => ({ faults, lockMs: LOCK_MS, finalViewer: FINAL }),
      calm: new Promise((resolve) => {
        setCalm = resolve;
      }),
      overdue: overdue.signal,
      loses: category === 'loss',
      publishEveryMs,
      report: (findings, record) => report.add(findings, record),
      count(what, by = 1) {
        counts[what] += by;
      },
    };
    const cases = startCases(stage, options, stopped.signal);
    await breakThings(service, faults, options, random.fork(), (finding) => report.add([finding], finding));
    // Before the load ends: afterwards, memory is no longer needed.
    memory = watch?.stop() ?? [];
    if (watch) held = await holdings(service.redis.admin);
    // A Redis that keeps everything until the end grows.
    if (category === 'plain') report.add(checkMemory(memory), { memory, held });
    setCalm();
    stopped.abort();
    const timer = setTimeout(() => overdue.abort(), boundMs);
    await cases;
    clearTimeout(timer);
    const waits = checksRemains && category === 'plain';
    report.add(await checkRemains(service.redis.admin, waits ? KEEP_MS : 0), {});
  } finally {
    setCalm();
    stopped.abort();
    overdue.abort();
    hooks?.stop();
    await service?.stop();
    report.close(faults);
  }
  return {
    findings: report.findings,
    total: report.total,
    lines: report.findings.map((finding) => report.line(finding, faults)),
    timeline: report.timeline(faults),
    byFault: report.byFault(faults),
    ...counts,
    faults: faults.length,
    memory,
    held,
    folder,
  };
}

/** Starts jobs and channels until it is stopped, and waits for all of them. */
async function startCases(
  stage: Stage,
  { startEveryMs = 500, jobsAtOnce = 14, seed }: CampaignOptions,
  stopped: AbortSignal,
): Promise<void> {
  // If Redis may lose data, jobs are kept until the end, because they may have to run again.
  const [everyMs, atOnce] = stage.loses ? [startEveryMs * 3, jobsAtOnce * 8] : [startEveryMs, jobsAtOnce];
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  const start = (work: Promise<void>): void => {
    const done: Promise<void> = work
      .catch((error) => {
        // The campaign ended before the job could begin.
        if (!stage.overdue.aborted) failures.push(error);
      })
      .finally(() => running.delete(done));
    running.add(done);
  };
  const channels = (async () => {
    for (let i = 1; !stopped.aborted; i++) {
      await runChannelCase(stage, `public.${seed}.${i}`, stage.random.between(5000, 20_000));
    }
  })();
  let label = 0;
  while (!stopped.aborted) {
    if (running.size < atOnce) {
      start(runJobCase(stage, drawPlan(stage.random, `job ${++label}`)));
      // A Redis that loses data forgets the jobs of files.
      if (label % FILE_EVERY === 0 && !stage.loses) start(runFileCase(stage));
    }
    await sleep(everyMs, undefined, { signal: stopped }).catch(() => {});
  }
  await Promise.all([channels, ...running]);
  if (failures.length > 0) throw failures[0];
}

/** Causes one fault after another, with pauses in between. */
async function breakThings(
  service: Service,
  faults: FaultRecord[],
  options: CampaignOptions,
  random: Random,
  find: (finding: Finding) => void,
): Promise<void> {
  const { category, kinds, sequence, faultCount = sequence?.length, ms = 0, onFault } = options;
  const { faultMs = [1000, 5000], calmMs = [1500, 4000] } = options;
  const all = sequence ?? faultsOf(category, kinds);
  if (all.length === 0) throw new Error(`no such faults: ${kinds}`);
  const until = Date.now() + ms;
  let queue: Array<(typeof all)[number]> = [];
  for (let i = 0; faultCount === undefined ? Date.now() < until : i < faultCount; i++) {
    await sleep(random.between(...calmMs));
    if (queue.length === 0) queue = sequence ? [...sequence] : random.shuffle(all);
    const fault = queue.shift()!;
    const lasts = random.between(...faultMs);
    const record: FaultRecord = {
      kind: fault.kind,
      target: '',
      from: Date.now(),
      to: Number.POSITIVE_INFINITY,
    };
    faults.push(record);
    onFault?.(fault.kind);
    // From here on, the checker expects that Redis may lose data.
    if (category === 'loss') record.losesFrom = record.from - 2000;
    const outcome = await fault.run(service, lasts, random).catch((error: unknown) => {
      // A fault that could not be caused or undone is reported, and the campaign continues.
      find({ kind: 'fault-failed', subject: fault.kind, text: String(error), at: record.from });
      return 'failed';
    });
    record.to = Date.now();
    if (typeof outcome === 'string') record.target = outcome;
    else record.target = outcome.target;
    if (typeof outcome === 'object' && 'losesFrom' in outcome) record.losesFrom = outcome.losesFrom;
    if (typeof outcome === 'object' && 'trouble' in outcome) {
      find({ kind: 'disobedient', subject: outcome.target, text: outcome.trouble, at: record.from });
    }
  }
  await sleep(random.between(...calmMs));
}

const faultsOf = (category: CampaignOptions['category'], kinds: readonly string[] | undefined) => {
  const all = category === 'plain' ? PLAIN_FAULTS : LOSS_FAULTS;
  return kinds ? [...all, NO_FAULT].filter(({ kind }) => kinds.includes(kind)) : all;
};
