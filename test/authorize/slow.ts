import { setTimeout as sleep } from 'node:timers/promises';
import type { Authorize } from 'headway';

/** Takes half a second to allow the channel `slow`, and has no opinion of the others. */
const authorize: Authorize = async (_principal, _action, channel) => {
  if (channel !== 'slow') return undefined;
  await sleep(500);
  return true;
};
export default authorize;
