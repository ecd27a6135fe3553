import type { JobContext } from '../../../shared/jobs/definition.js';
import { kindName } from '../../../shared/jobs/kind.js';
import type { AddPart, Part } from '../../reporting/roll-up.js';
import type { Peer } from './peer.js';

/**
 * The calls of `ctx.child` of a run in this thread. The main thread starts and follows the children; the progress that
 * they roll up into is in this thread.
 */
export class ChildCalls {
  private calls = 0;
  /** The progress bar of the stage of each pending call. */
  private readonly bars = new Map<number, AddPart>();
  private readonly parts = new Map<number, Part>();

  /** Calls of the main thread about the progress of children: see {@link remotePart}. */
  readonly handlers = {
    addPart: (call: number, weight: number) => {
      const bar = this.bars.get(call);
      if (bar) this.parts.set(call, bar(weight));
    },
    partPercent: (call: number, percent: number) => this.parts.get(call)?.percent(percent),
    partEnded: (call: number) => this.parts.get(call)?.end(),
  };

  /**
   * @param bar returns the progress bar of the current stage
   * @param signal signal of the run, which also ends the wait for children
   * @returns the implementation of `ctx.child`
   */
  start(main: Peer, bar: () => AddPart, signal: AbortSignal): JobContext['child'] {
    const child = async (call: number, args: unknown[]): Promise<unknown> => {
      try {
        return await main.call('child', call, ...args);
      } catch (error) {
        signal.throwIfAborted();
        throw error;
      } finally {
        this.bars.delete(call);
      }
    };
    return ((job: Parameters<typeof kindName>[0], ...args: unknown[]) => {
      const call = ++this.calls;
      this.bars.set(call, bar());
      const result = child(call, [kindName(job), ...args]);
      // A parent is not required to await its child.
      result.catch(() => {});
      return result;
    }) as JobContext['child'];
  }
}

/**
 * Creates the part of a child in a progress bar of another thread.
 * @param call number of the call that started the child
 */
export function remotePart(thread: Peer, call: number): AddPart {
  return (weight) => {
    thread.notify('addPart', call, weight);
    return {
      percent: (percent) => thread.notify('partPercent', call, percent),
      end: () => thread.notify('partEnded', call),
    };
  };
}
