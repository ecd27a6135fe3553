import { setTimeout as sleep } from 'node:timers/promises';
import type { Authorize } from 'headway-jobs';

/** Allows the channel `slow` after half a second, and decides about no other channel. */
const authorize: Authorize = async (_principal, _action, channel) => {
  if (channel !== 'slow') return undefined;
  await sleep(500);
  return true;
};
export default authorize;
