import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * The run whose code runs. What a run begins (timers, sockets, promises) has the run as its context, so an error that
 * nobody catches there is known to be the run's own.
 */
export const currentRun = new AsyncLocalStorage<Run>();

/** Why a run has to stop; the reason of an aborted `ctx.signal`. */
export class StopReason extends Error {
  constructor(
    readonly why: 'cancel' | 'timeout' | 'shutdown' | 'lock-lost' | 'child' | 'uncaught',
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'StopReason';
  }
}

export const cancelled = (): StopReason => new StopReason('cancel', 'the job was cancelled');

/** One run of a job in this worker: from its beginning to its end it can be told to stop. */
export class Run {
  private readonly controller = new AbortController();
  private readonly over = new AbortController();
  private readonly lostLock = new AbortController();
  private readonly overdue: Promise<never>;
  private giveUp!: (reason: StopReason) => void;
  private timer: NodeJS.Timeout | undefined;
  /** Whether the code of the job has begun: before that, the job cannot have done anything. */
  begun = false;
  /** It was lost with a worker process before, and may be the reason. */
  suspect = false;

  constructor(
    readonly jobId: string,
    private readonly graceMs: number,
  ) {
    this.overdue = new Promise((_resolve, reject) => {
      this.giveUp = reject;
    });
    // Nobody may be waiting for it yet.
    this.overdue.catch(() => {});
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Aborted when the run has ended, and what still goes on for it may be ended by force. */
  get ended(): AbortSignal {
    return this.over.signal;
  }

  /** Aborted when another worker may have the job, whatever the run was told before: nothing it says counts any more. */
  get lost(): AbortSignal {
    return this.lostLock.signal;
  }

  /** Why it was told to stop, if it was. */
  get stopped(): StopReason | undefined {
    return this.signal.aborted ? (this.signal.reason as StopReason) : undefined;
  }

  /**
   * Aborts the run's signal; the run has `graceMs` to clean up and is then left alone with whatever it does. The
   * first reason counts.
   */
  stop(reason: StopReason, graceMs = this.graceMs): void {
    if (this.stopped) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.giveUp(reason), graceMs);
    // What a listener of the job's throws is the job's.
    currentRun.run(this, () => this.controller.abort(reason));
  }

  /** Stops it because another worker may have the job. */
  lose(reason: StopReason): void {
    this.stop(reason);
    this.lostLock.abort();
  }

  /** Stops it when it takes longer than this. */
  limit(timeoutMs: number): void {
    if (this.stopped) return;
    this.timer = setTimeout(
      () => this.stop(new StopReason('timeout', `it took longer than its time limit of ${timeoutMs} ms`)),
      timeoutMs,
    );
  }

  /**
   * Does the work. A run that was told to stop ends with its {@link StopReason}, whatever the work comes to: at
   * once when the work does, and after the grace time when it does not.
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
      this.over.abort();
    }
  }
}

/** The runs of this moment in a process, by the ids of their jobs. */
export class ActiveRuns extends Map<string, Run> {
  private ending: (() => void) | undefined;
  /** The process ends of an error that belongs to no run. */
  crashing = false;
  /** The only run that can have caused the error. */
  guilty: Run | undefined;

  begin(jobId: string, run: Run): void {
    this.set(jobId, run);
    this.ending?.();
  }

  /**
   * Notes that the process ends of an error that nobody can tell the origin of. Where one job ran alone, or one of those
   * that ran is a suspect, it was that one.
   */
  crash(): void {
    const begun = [...this.values()].filter((run) => run.begun);
    const suspects = begun.length === 1 ? begun : begun.filter((run) => run.suspect);
    this.crashing = true;
    if (suspects.length === 1) this.guilty = suspects[0];
  }

  /** Stops all of them, and those that begin from now on: a job may have been on its way here. */
  stopAll(reason: StopReason, graceMs: number): void {
    this.ending = () => {
      for (const run of this.values()) run.stop(reason, graceMs);
    };
    this.ending();
  }
}
