import type { Authorize } from 'headway-jobs';
import { passGate } from './gate.js';

/** An operator's hook that knows teams. For some channels, it throws or is slow. */
const authorize: Authorize = async (principal, action, channel) => {
  if (channel === 'broken') throw new Error('no database');
  if (channel === 'gate') {
    await passGate();
    return true;
  }
  if (channel === 'slow') return new Promise(() => {});
  if (channel === 'public.closed') return false;
  if (channel.startsWith('team.')) {
    const teams = (principal?.claims?.teams ?? []) as string[];
    return teams.includes(channel.slice(5)) && action !== 'publish';
  }
  // A colleague of the job's owner may watch the job, but not cancel it.
  if (channel.startsWith('job:')) return action === 'subscribe' && principal?.sub === 'colleague';
  return undefined;
};
export default authorize;
