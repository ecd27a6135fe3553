import type { Call } from '../http.js';
import type { JobView } from '../types.js';
import type { Session } from './session.js';

/** A call on one job, with the token that opens it. @param path after the job's own @throws ProblemError */
export async function askJob(
  { askJson, tokenOf }: Session,
  id: string,
  path: '' | '/cancel' | '/retry',
  options: Call = {},
): Promise<JobView> {
  const token = await tokenOf(id);
  return askJson(`v1/jobs/${encodeURIComponent(id)}${path}`, { ...options, token });
}

/**
 * Asks for a job once before it is watched: the stream would try again for ever where nobody answers.
 * @throws ProblemError when it cannot be watched
 */
export const checkJob = (session: Session, id: string): Promise<JobView> => askJob(session, id, '');
