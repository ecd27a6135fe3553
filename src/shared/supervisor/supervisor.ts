import type { ChildProcess } from 'node:child_process';
import type { MetricsOfProcess } from '../metrics/merge.js';
import { processCrashes } from '../metrics/process-metrics.js';
import type { Exported } from '../metrics/registry.js';
import type { Logger } from '../process/log.js';
import { EXIT_CONFIG, type UpReport } from '../process/main.js';
import type { Answers } from './peer.js';
import { type Exit, SupervisedProcess } from './process.js';

/** The time until a crashed process is replaced, in ms. It doubles with each crash. */
const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 10_000;
/** A process that has run this long was healthy: after it, the next crash counts as the first one. */
const HEALTHY_MS = 30_000;
/** How many processes in a row may end before they are up, while no other one is up, until the supervisor gives up. */
const MOST_FAILED_STARTS = 5;
/** How long a process has to take the message that another one has replaced it, in ms. */
const MESSAGE_MS = 5000;
/** How long a process has to report its metrics, in ms. */
const METRICS_MS = 2000;

export interface SupervisorOptions {
  count: number;
  /** Starts a process. @param number for its logs and metrics */
  fork(number: number): ChildProcess;
  /** How long a process may take to stop, in ms. After that, it is killed. */
  stopMs: number;
  /** The same for a process that another one has replaced. */
  retireMs: number;
  /** Answers to requests of the processes. */
  answers?: Answers;
  log: Logger;
}

/** A place for one process. While its process is replaced, the old and the new one run. */
interface Place {
  process: SupervisedProcess | undefined;
  /** Whether {@link Supervisor.replace} is starting a process for this place. */
  replacing: boolean;
  delayMs: number;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Runs a fixed number of processes of one kind: replaces those that end, and all of them one at a time when asked to. If none of
 * them can run, {@link failed} resolves.
 */
export class Supervisor {
  private readonly places: Place[];
  private readonly processes = new Set<SupervisedProcess>();
  private stopping = false;
  private failedStarts = 0;
  /** Whether a restart was asked for since the last one began. */
  private restartWanted = false;
  private restarting: Promise<void> | undefined;
  private readonly whenUp = new Set<() => void>();
  private fail: (code: number) => void = () => {};
  /** Resolves to the exit code when no process can run. */
  readonly failed = new Promise<number>((resolve) => {
    this.fail = resolve;
  });

  constructor(private readonly options: SupervisorOptions) {
    this.places = Array.from({ length: options.count }, () => ({
      process: undefined,
      replacing: false,
      delayMs: FIRST_DELAY_MS,
      timer: undefined,
    }));
  }

  /**
   * Starts one process, and the others when it is up: a mistake in the configuration is reported once. Resolves to the report of
   * a process when all are up.
   */
  async start(): Promise<UpReport | undefined> {
    const [first, ...others] = this.places;
    if (first) this.fill(first);
    await this.untilUp(() => this.places.some(({ process }) => process?.isUp));
    if (!this.stopping) for (const place of others) this.fill(place);
    await this.untilUp(() => this.places.every(({ process }) => process?.isUp));
    return this.places[0]?.process?.up;
  }

  /**
   * Replaces all processes, one at a time: the new one is up before the old one stops. If a new process does not start, the
   * restart ends, and the processes that run then are left alone. A call during a restart makes another one follow.
   */
  restart(): void {
    this.restartWanted = true;
    this.restarting ??= this.restartWhileWanted().finally(() => {
      this.restarting = undefined;
    });
  }

  /** Asks all processes to stop. Resolves when they have ended. */
  async stop(): Promise<void> {
    this.stopping = true;
    for (const { timer } of this.places) clearTimeout(timer);
    await Promise.all(
      Array.from(this.processes, (process) => {
        // To a process that is stopping already, a second signal means: at once.
        if (!process.isLeaving) process.signal('SIGTERM');
        process.isLeaving = true;
        return this.untilEnd(process, this.options.stopMs);
      }),
    );
  }

  /** Kills the processes that were asked to stop. */
  kill(): void {
    if (this.stopping) this.signal('SIGKILL');
  }

  /** Sends a signal to all processes that are up. */
  signal(signal: NodeJS.Signals): void {
    for (const process of this.processes) {
      if (process.isUp || signal === 'SIGKILL') process.signal(signal);
    }
  }

  /** Returns the metrics of the processes that report them in time. */
  async metrics(): Promise<MetricsOfProcess[]> {
    const reports = await Promise.all(
      Array.from(this.processes, async ({ number, isUp, peer }) => ({
        process: number,
        metrics: isUp
          ? ((await peer.ask('metrics', undefined, METRICS_MS)) as Exported[] | undefined)
          : undefined,
      })),
    );
    return reports.flatMap(({ process, metrics }) => (metrics ? [{ process, metrics }] : []));
  }

  /** Starts a process with the lowest free number, so that the labels of metrics are few. */
  private spawn(): SupervisedProcess {
    const used = new Set(Array.from(this.processes, ({ number }) => number));
    let number = 1;
    while (used.has(number)) number++;
    const { fork, answers = {} } = this.options;
    const process = new SupervisedProcess(number, fork(number), answers);
    this.processes.add(process);
    void process.exited.then(() => this.processes.delete(process));
    return process;
  }

  private fill(place: Place): void {
    this.put(place, this.spawn());
  }

  /** Puts a process in a place. From then on, it is replaced when it ends. */
  private put(place: Place, process: SupervisedProcess): void {
    place.process = process;
    void process.up.then((report) => {
      if (!report) return;
      this.failedStarts = 0;
      for (const check of this.whenUp) check();
    });
    void process.exited.then((exit) => {
      // Another process may have its place by now.
      if (place.process !== process) return;
      place.process = undefined;
      if (!this.stopping) this.onEnd(place, process, exit);
    });
  }

  private onEnd(place: Place, process: SupervisedProcess, { code, signal }: Exit): void {
    const { log } = this.options;
    const fields = { child: process.number, childPid: process.pid, code, signal };
    const isAlone = !this.places.some((other) => other.process?.isUp);
    // A process that was up and cannot go on: the others cannot either. One that does not start leaves them alone.
    if (code === EXIT_CONFIG && (process.isUp || isAlone)) {
      log.error(
        fields,
        'a process cannot run with its configuration or data, as its last line says: stopping',
      );
      return this.fail(EXIT_CONFIG);
    }
    if (!process.isUp && isAlone && ++this.failedStarts >= MOST_FAILED_STARTS) {
      log.fatal(fields, `${MOST_FAILED_STARTS} processes in a row ended before they were up: giving up`);
      return this.fail(1);
    }
    if (process.ageMs > HEALTHY_MS) place.delayMs = FIRST_DELAY_MS;
    const delayMs = code === EXIT_CONFIG ? LONGEST_DELAY_MS : place.delayMs;
    place.delayMs = Math.min(place.delayMs * 2, LONGEST_DELAY_MS);
    if (code === 0) {
      log.info({ ...fields, delayMs }, 'a process was stopped; starting another one');
    } else {
      processCrashes.only.value++;
      log.error({ ...fields, delayMs }, 'a process ended unexpectedly; starting another one');
    }
    this.fillIn(place, delayMs);
  }

  private fillIn(place: Place, delayMs: number): void {
    clearTimeout(place.timer);
    place.timer = setTimeout(() => {
      if (!this.stopping && !place.replacing && !place.process) this.fill(place);
    }, delayMs);
  }

  private async restartWhileWanted(): Promise<void> {
    await this.untilUp(() => this.places.some(({ process }) => process?.isUp));
    while (this.restartWanted && !this.stopping) {
      this.restartWanted = false;
      await this.restartOnce();
    }
  }

  private async restartOnce(): Promise<void> {
    const { log, count } = this.options;
    log.info({ processes: count }, 'replacing the processes one at a time');
    for (const [done, place] of this.places.entries()) {
      if (this.stopping) return;
      const next = await this.replace(place);
      if (this.stopping) return;
      if (next.isUp) continue;
      const { code, signal } = await next.exited;
      log.error(
        { child: next.number, code, signal, replaced: done, processes: count },
        'a new process did not start, as its last line says: the restart ends, and the running processes stay',
      );
      return;
    }
    log.info({ processes: count }, 'all processes are replaced');
  }

  /** Starts another process for a place, and stops the old one when it is up. @returns the new process */
  private async replace(place: Place): Promise<SupervisedProcess> {
    place.replacing = true;
    const next = this.spawn();
    const isUp = Boolean(await next.up);
    place.replacing = false;
    if (this.stopping) return next;
    if (!isUp) {
      // The old process may have crashed meanwhile.
      if (!place.process) this.fillIn(place, FIRST_DELAY_MS);
      return next;
    }
    const old = place.process;
    place.delayMs = FIRST_DELAY_MS;
    this.put(place, next);
    if (old) await this.retire(old);
    return next;
  }

  /** Stops a process that another one has replaced. */
  private async retire(process: SupervisedProcess): Promise<void> {
    process.isLeaving = true;
    const taken = await Promise.race([process.peer.ask('retire', undefined, MESSAGE_MS), process.exited]);
    if (!taken) process.signal('SIGTERM');
    await this.untilEnd(process, this.options.retireMs);
  }

  /** Resolves when a process that is stopping has ended. It is killed if it takes too long. */
  private async untilEnd(process: SupervisedProcess, limitMs: number): Promise<void> {
    const timer = setTimeout(() => {
      const fields = { child: process.number, childPid: process.pid, limitMs };
      this.options.log.warn(fields, 'a process did not stop in time: killing it');
      process.signal('SIGKILL');
    }, limitMs);
    await process.exited;
    clearTimeout(timer);
  }

  /** Resolves when a condition holds that changes only when a process is up. */
  private untilUp(condition: () => unknown): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!condition()) return;
        this.whenUp.delete(check);
        resolve();
      };
      this.whenUp.add(check);
      check();
    });
  }
}
