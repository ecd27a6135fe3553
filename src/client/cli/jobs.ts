import type { Call } from '../http.js';
import type { JobView } from '../types.js';
import type { Session } from './session.js';

/** Calls the API for one job, with the job's token. @param path relative to the job's own path @throws ProblemError */
export async function callJob(
  { requestJson, tokenOf }: Session,
  id: string,
  path: '' | '/cancel' | '/retry',
  options: Call = {},
): Promise<JobView> {
  const token = await tokenOf(id);
  return requestJson(`v1/jobs/${encodeURIComponent(id)}${path}`, { ...options, token });
}

/**
 * Fetches a job before it is watched, to fail at once if the service is unreachable. The stream would reconnect forever.
 * @throws ProblemError when the job cannot be watched
 */
export const checkJob = (session: Session, id: string): Promise<JobView> => callJob(session, id, '');
