import type { Publisher } from '../../shared/channel/publisher.js';
import type { JobSnapshot } from '../../shared/lifecycle/snapshot.js';

/** How long the start of a run is held back, in ms. */
const HOLD_MS = 10;
/** A run that takes longer is not brief, in ms. */
const BRIEF_MS = 100;

/**
 * The kinds of jobs whose newest run in this process was brief. Only their starts are held back: a run that keeps the
 * process busy also keeps the timer from publishing its start.
 */
export class BriefKinds {
  private readonly names = new Set<string>();

  has(name: string): boolean {
    return this.names.has(name);
  }

  /** Records how long a run of a job has taken, in ms. */
  note(name: string, ms: number): void {
    if (ms < BRIEF_MS) this.names.add(name);
    else this.names.delete(name);
  }
}

/**
 * The event that says that a run has started. It can be held back for a moment: a job that reports nothing and completes by
 * then has its start published together with its end, in a single call.
 */
export class RunStart {
  private timer: NodeJS.Timeout | undefined;
  private publishing: Promise<JobSnapshot | undefined> | undefined;
  /** Whether the start has been published, or could not be. */
  private isOver = false;
  private onFailure = (_error: unknown): void => {};

  /** @param begin publishes the start, and returns the job */
  constructor(private readonly begin: () => Promise<JobSnapshot | undefined>) {}

  /**
   * Publishes the start a moment later, unless something else does before.
   * @param onFailure called if it cannot be published
   */
  hold(onFailure = this.onFailure): void {
    this.onFailure = onFailure;
    this.timer = setTimeout(() => this.publish(), HOLD_MS);
  }

  /** Publishes the start, unless that has been done. */
  publish(): Promise<JobSnapshot | undefined> {
    clearTimeout(this.timer);
    if (!this.publishing) {
      this.publishing = this.begin();
      // Nobody waits for it when the timer has called this.
      this.publishing.catch(this.onFailure);
    }
    return this.publishing;
  }

  /** Resolves when a start that is no longer held back is published. A start that is held back goes with the end. */
  async settled(): Promise<void> {
    clearTimeout(this.timer);
    await this.publishing;
  }

  /** Returns a publisher for the reports of the run, which come after its start. */
  before(publisher: Publisher): Publisher {
    return {
      ...publisher,
      publishInRow: (...args) => {
        // Not async: this is called for each update.
        if (this.isOver) return publisher.publishInRow(...args);
        const report = () => {
          this.isOver = true;
          return publisher.publishInRow(...args);
        };
        // If it fails, Redis answers that the run has not begun.
        return this.publish().then(report, report);
      },
    };
  }
}
