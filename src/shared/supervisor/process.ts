import type { ChildProcess } from 'node:child_process';
import type { UpReport } from '../process/main.js';
import { type Answers, Peer } from './peer.js';

/** How a process has ended. */
export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** One of the processes under a supervisor. */
export class SupervisedProcess {
  readonly peer: Peer;
  /** Whether the process has reported that it is up. */
  isUp = false;
  /** Whether it was asked to stop. */
  isLeaving = false;
  /** Its report, when it is up; `undefined` if it has ended before. */
  readonly up: Promise<UpReport | undefined>;
  readonly exited: Promise<Exit>;
  private readonly startedAt = performance.now();

  /** @param number unique among the processes that run at the same time */
  constructor(
    readonly number: number,
    private readonly child: ChildProcess,
    answers: Answers,
  ) {
    this.peer = new Peer(child, answers);
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }));
      // It could not be started: too many processes, or no memory.
      child.once('error', () => child.pid === undefined && resolve({ code: null, signal: null }));
    });
    const reported = new Promise<UpReport>((resolve) => {
      child.on('message', (message) => {
        if (typeof message !== 'object' || message === null || !('type' in message)) return;
        this.isUp = true;
        resolve(message as UpReport);
      });
    });
    this.up = Promise.race([reported, this.exited.then(() => undefined)]);
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** Since when it has been running, in ms. */
  get ageMs(): number {
    return performance.now() - this.startedAt;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}
