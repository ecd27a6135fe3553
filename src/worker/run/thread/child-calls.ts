import type { JobContext } from '../../../shared/jobs/definition.js';
import type { AddPart, Part } from '../../reporting/roll-up.js';
import type { Peer } from './peer.js';

/**
 * The calls of `ctx.child` of a run in this thread. The main thread starts the children and follows them; the bar that
 * they move is here.
 */
export class ChildCalls {
  private calls = 0;
  /** Of each call that is under way, the bar of the stage in which it was made. */
  private readonly bars = new Map<number, AddPart>();
  private readonly parts = new Map<number, Part>();

  /** What the main thread says of the children: see {@link remotePart}. */
  readonly offered = {
    addPart: (call: number, weight: number) => void this.parts.set(call, this.bars.get(call)!(weight)),
    partPercent: (call: number, percent: number) => this.parts.get(call)?.percent(percent),
    partOver: (call: number) => this.parts.get(call)?.over(),
  };

  /**
   * @param bar gives the bar of the present stage
   * @param signal of the run: when it is aborted, nobody waits for children any more
   * @returns what `ctx.child` does
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
    return ((...args: unknown[]) => {
      const call = ++this.calls;
      this.bars.set(call, bar());
      const result = child(call, args);
      // A parent need not wait for its child.
      result.catch(() => {});
      return result;
    }) as JobContext['child'];
  }
}

/** The part of a child in a bar that is in another thread. @param call the number of the call that the child is of */
export function remotePart(thread: Peer, call: number): AddPart {
  return (weight) => {
    thread.tell('addPart', call, weight);
    return {
      percent: (percent) => thread.tell('partPercent', call, percent),
      over: () => thread.tell('partOver', call),
    };
  };
}
