import { addressOf } from '../../shared/jobs/queues.js';
import type { JobSnapshot } from '../../shared/lifecycle/snapshot.js';
import type { QueuePace } from './pace.js';
import { type Position, type PositionReader, WINDOW } from './read.js';

/** A position as clients see it. */
export interface ShownPosition {
  position?: number;
  orMore?: true;
  beginsInMs?: number;
}

export const shownPosition = ({ before }: Position, beginsInMs: number | undefined): ShownPosition => ({
  position: before,
  ...(before === WINDOW ? { orMore: true as const } : {}),
  ...(beginsInMs === undefined ? {} : { beginsInMs }),
});

/** Returns the position of a job that waits in its queue; empty for any other job, and if it is unknown. */
export type PositionView = (job: JobSnapshot) => Promise<ShownPosition>;

/** @param paces how fast each queue takes its jobs, as far as that is known */
export function createPositionView(
  readPositions: PositionReader,
  paces: ReadonlyMap<string, QueuePace>,
): PositionView {
  return async ({ id, state, paused, noWorker, cancelAsked }) => {
    const queue = addressOf(id)?.queue;
    const waits = (state === 'waiting' || state === 'prioritized') && !paused && !noWorker && !cancelAsked;
    const position = waits && queue !== undefined && (await readPositions(queue, [id])).get(id);
    return position ? shownPosition(position, paces.get(queue ?? '')?.beginsIn(position)) : {};
  };
}
