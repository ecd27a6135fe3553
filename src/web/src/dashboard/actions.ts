import { request } from '../api';

/** Pauses or resumes the queue of a kind of job. */
export async function setPaused(kind: string, paused: boolean): Promise<void> {
  await request(`v1/definitions/${encodeURIComponent(kind)}/${paused ? 'pause' : 'resume'}`, {
    method: 'POST',
  });
}

/** Signs out the admin in this browser. */
export async function signOut(): Promise<void> {
  await request('dashboard/sign-out', { method: 'POST' });
}
