import { addressOf } from '../../shared/jobs/queues.js';
import type { JobSnapshot } from '../../shared/lifecycle/snapshot.js';
import { QueuePace } from './pace.js';
import { type Position, type PositionReader, WINDOW } from './read.js';
import type { UsualPaceReader } from './usual-pace.js';

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

/** Of a queue of which nothing has been seen. */
const UNSEEN = new QueuePace();

/** @param paces how fast each queue with watched jobs takes its jobs */
export function createPositionView(
  readPositions: PositionReader,
  readUsualPace: UsualPaceReader,
  paces: ReadonlyMap<string, QueuePace>,
): PositionView {
  return async ({ id, state, paused, noWorker, cancelAsked }) => {
    const queue = addressOf(id)?.queue;
    const waits = (state === 'waiting' || state === 'prioritized') && !paused && !noWorker && !cancelAsked;
    if (!waits || queue === undefined) return {};
    const position = (await readPositions(queue, [id])).get(id);
    if (!position) return {};
    const pace = paces.get(queue) ?? UNSEEN;
    return shownPosition(position, pace.beginsIn(position, await readUsualPace(queue)));
  };
}
