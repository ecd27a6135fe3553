import { totalmem } from 'node:os';
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { RequestHandler } from 'express';
import { HeadwayError } from '../../shared/errors.js';
import type { Config } from '../../shared/process/config.js';
import type { Logger } from '../../shared/process/log.js';
import { processCount } from '../../shared/process/process-settings.js';
import type { Service } from '../../shared/process/service.js';
import { traitsOf } from '../exchange/route.js';

/** How often the load is measured, in ms. */
const CHECK_MS = 500;
/** How many checks in a row must find more load until more is refused, so that one long turn changes nothing. */
const CHECKS_TO_REFUSE = 2;
/** How many checks in a row must find less load until less is refused. */
const CHECKS_TO_ACCEPT = 6;
/** The load must fall below this share of a limit until less is refused: otherwise it would rise again at once. */
const RELEASE = 0.7;
/** The resolution of the delay, in ms. The histogram measures the time between two timers, so it is part of the delay. */
const RESOLUTION_MS = 20;

/** What is refused: nothing, new streams, or new streams and new jobs. */
type Level = 0 | 1 | 2;

/** The load of a process. Shares are from 0 to 1. */
export interface Load {
  /** Median delay of the event loop, in ms. */
  loopDelayMs: number;
  memoryShare: number;
}

type Limits = Pick<Config, 'SHED_LOOP_DELAY_MS' | 'SHED_MEMORY_PERCENT'>;
type Settings = Limits & Pick<Config, 'API_PROCESSES'>;

/** Returns the level that a load calls for. @param factor lowers all limits */
export function levelOf(load: Load, limits: Limits, factor = 1): Level {
  const { SHED_LOOP_DELAY_MS: delayMs, SHED_MEMORY_PERCENT: percent } = limits;
  const exceeds = (value: number, limit: number): boolean => limit > 0 && value >= limit * factor;
  const share = percent / 100;
  if (exceeds(load.loopDelayMs, 2 * delayMs) || (share > 0 && exceeds(load.memoryShare, (1 + share) / 2)))
    return 2;
  return exceeds(load.loopDelayMs, delayMs) || exceeds(load.memoryShare, share) ? 1 : 0;
}

/**
 * Measures whether the process is overloaded. Then it refuses new streams, and with more load new jobs, so that the viewers and
 * jobs that it has keep their share.
 */
export class Overload implements Service {
  /** Whether new streams are refused. */
  streams = false;
  /** Whether new jobs, uploads and schedules are refused. */
  jobs = false;
  private level: Level = 0;
  private more = 0;
  private less = 0;
  private readonly delay: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  private readonly timer: NodeJS.Timeout | undefined;
  private readonly processes: number;

  constructor(
    private readonly limits: Settings,
    private readonly log: Logger,
  ) {
    this.processes = processCount(limits.API_PROCESSES);
    if (limits.SHED_LOOP_DELAY_MS === 0 && limits.SHED_MEMORY_PERCENT === 0) return;
    this.delay.enable();
    this.timer = setInterval(() => this.check(), CHECK_MS).unref();
  }

  /** Refuses requests that start new work. */
  readonly handler: RequestHandler = (req, _res, next) => {
    if (this.jobs && traitsOf(req).startsWork) throw overloaded('new jobs');
    next();
  };

  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.delay.disable();
  }

  private check(): void {
    const load: Load = {
      loopDelayMs: Math.max(0, this.delay.percentile(50) / 1e6 - RESOLUTION_MS),
      memoryShare: memoryShare(this.processes),
    };
    this.delay.reset();
    const wanted = levelOf(load, this.limits);
    const kept = levelOf(load, this.limits, RELEASE);
    this.more = wanted > this.level ? this.more + 1 : 0;
    this.less = kept < this.level ? this.less + 1 : 0;
    if (this.more >= CHECKS_TO_REFUSE) this.set(wanted, load);
    else if (this.less >= CHECKS_TO_ACCEPT) this.set(kept, load);
  }

  private set(level: Level, { loopDelayMs, memoryShare }: Load): void {
    const rises = level > this.level;
    this.level = level;
    this.more = this.less = 0;
    this.streams = level >= 1;
    this.jobs = level >= 2;
    const refused = ['nothing', 'new streams', 'new streams and new jobs'][level];
    const measured = { loopDelayMs: Math.round(loopDelayMs), memoryPercent: Math.round(memoryShare * 100) };
    if (rises) this.log.warn(measured, `overloaded: refusing ${refused}`);
    else this.log.info(measured, `less load: refusing ${refused}`);
  }
}

/** The error for new work that an overloaded process refuses. */
export const overloaded = (what: string): HeadwayError =>
  new HeadwayError(
    'overloaded',
    `This process is overloaded and refuses ${what}. Try again in a few seconds.`,
  );

/**
 * The used share of the memory: of the container or machine, or of V8's heap, whichever is fuller.
 * @param processes how many processes share the memory of the container or machine
 */
function memoryShare(processes: number): number {
  // Without a limit, Node returns 0 or a number beyond the memory of the machine.
  const constrained = process.constrainedMemory();
  const total = totalmem();
  const limit = constrained > 0 && constrained < total ? constrained : total;
  const { used_heap_size: used, heap_size_limit: most } = getHeapStatistics();
  return Math.max((process.memoryUsage.rss() * processes) / limit, used / most);
}
