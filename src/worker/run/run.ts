import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * The run that the current code belongs to. Timers, sockets and promises that a run creates keep it as their async
 * context, so an uncaught error can be assigned to its run.
 */
export const currentRun = new AsyncLocalStorage<Run>();

/** Why a run must stop: the `reason` of an aborted `ctx.signal`. */
export class StopReason extends Error {
  constructor(
    readonly why: 'cancel' | 'timeout' | 'memory' | 'shutdown' | 'lock-lost' | 'child' | 'uncaught',
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'StopReason';
  }
}

export const cancelled = (): StopReason => new StopReason('cancel', 'the job was cancelled');

/** One run of a job in this worker, which can be stopped at any time. */
export class Run {
  private readonly controller = new AbortController();
  /** Created on demand: most runs never use it. */
  private end: AbortController | undefined;
  private over = false;
  private markLost!: () => void;
  /** Resolves when another worker may have the job, even after an earlier stop. Reports of the run no longer count then. */
  readonly lost = new Promise<void>((resolve) => {
    this.markLost = resolve;
  });
  isLost = false;
  /** Whether the job is being handed back to its queue, which removes its lock. */
  isHandedBack = false;
  private readonly overdue: Promise<never>;
  private giveUp!: (reason: StopReason) => void;
  private timer: NodeJS.Timeout | undefined;
  /** Whether the code of the job has begun. */
  begun = false;
  /** The job was lost with a worker process before, and may have crashed it. */
  suspect = false;

  constructor(
    readonly jobId: string,
    private readonly graceMs: number,
  ) {
    this.overdue = new Promise((_resolve, reject) => {
      this.giveUp = reject;
    });
    // There may be no other handler yet.
    this.overdue.catch(() => {});
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Aborted when the run has ended. Code of the run that is still running may then be terminated. */
  get ended(): AbortSignal {
    this.end ??= new AbortController();
    if (this.over) this.end.abort();
    return this.end.signal;
  }

  /** Why the run was stopped, if it was. */
  get stopped(): StopReason | undefined {
    return this.signal.aborted ? (this.signal.reason as StopReason) : undefined;
  }

  /**
   * Aborts the signal of the run. The run gets `graceMs` to clean up and then ends, even if its code continues. Only
   * the first reason counts.
   */
  stop(reason: StopReason, graceMs = this.graceMs): void {
    if (this.stopped) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.giveUp(reason), graceMs);
    // An error thrown by a listener belongs to this run.
    currentRun.run(this, () => this.controller.abort(reason));
  }

  /** Stops the run because another worker may have the job. */
  lose(reason: StopReason): void {
    this.stop(reason);
    this.isLost = true;
    this.markLost();
  }

  /** Stops the run after `timeoutMs`. */
  limit(timeoutMs: number): void {
    if (this.stopped) return;
    this.timer = setTimeout(
      () => this.stop(new StopReason('timeout', `exceeded its time limit of ${timeoutMs} ms`)),
      timeoutMs,
    );
  }

  /**
   * Runs the work. A stopped run ends with its {@link StopReason}, whatever the work returns or throws: when the work
   * ends, or after the grace time at the latest.
   */
  async do<T>(work: () => Promise<T>): Promise<T> {
    try {
      if (this.stopped) throw this.stopped;
      const result = await Promise.race([currentRun.run(this, work), this.overdue]);
      if (this.stopped) throw this.stopped;
      return result;
    } catch (error) {
      throw this.stopped ?? error;
    } finally {
      clearTimeout(this.timer);
      this.over = true;
      this.end?.abort();
    }
  }
}

/** The current runs of a process by job id. */
export class ActiveRuns extends Map<string, Run> {
  private ending: (() => void) | undefined;
  private refusal: StopReason | undefined;
  /** The process is ending because of an error that cannot be assigned to a run. */
  crashing = false;
  /** The only run that can have caused that error. */
  crashCause: Run | undefined;

  begin(jobId: string, run: Run): void {
    this.set(jobId, run);
    if (this.refusal) run.stop(this.refusal, 0);
    this.ending?.();
  }

  /**
   * Stops runs that begin from now on, so that their jobs are handed back at once. A call that takes a job may be under way
   * when the process is asked to stop, and BullMQ runs what it returns.
   */
  refuseNew(reason: StopReason): void {
    this.refusal = reason;
  }

  /**
   * Records that the process is ending because of an error of unknown origin. If only one job is running, or only one
   * of the running jobs is a suspect, that job is the cause.
   */
  crash(): void {
    const begun = [...this.values()].filter((run) => run.begun);
    const suspects = begun.length === 1 ? begun : begun.filter((run) => run.suspect);
    this.crashing = true;
    if (suspects.length === 1) this.crashCause = suspects[0];
  }

  /** Stops all runs, and those that begin later: a job may have been about to start. */
  stopAll(reason: StopReason, graceMs: number): void {
    this.ending = () => {
      for (const run of this.values()) run.stop(reason, graceMs);
    };
    this.ending();
  }
}
