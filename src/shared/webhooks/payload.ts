import type { TerminalState } from '../jobs/states.js';

/** Largest body of a webhook, in bytes. */
export const MAX_BODY_BYTES = 256 * 1024;
const MAX_MESSAGE = 10_000;

/** A job that has ended, as `GET /v1/jobs/:id` shows it. */
export type EndedJobView = Record<string, unknown> & { id: string };

/**
 * The body of the webhook on a job's end. From one that would be too large the result and the progress are left out,
 * with a note; an error's message is cut.
 */
export function webhookBody(event: TerminalState, at: number, job: EndedJobView): string {
  const body = serialize(event, at, job);
  if (Buffer.byteLength(body) <= MAX_BODY_BYTES) return body;
  const { result: _leftOut, error, ...rest } = job;
  return serialize(event, at, {
    ...rest,
    progress: null,
    ...(error ? { error: cut(error as { message: string }) } : {}),
    note: `This would have been larger than ${MAX_BODY_BYTES} bytes: result and progress were left out. All of it is at links.self.`,
  });
}

const serialize = (event: TerminalState, at: number, data: EndedJobView): string =>
  JSON.stringify({ type: `job.${event}`, timestamp: new Date(at).toISOString(), data });

const cut = <E extends { message: string }>(error: E): E => ({
  ...error,
  message: error.message.slice(0, MAX_MESSAGE),
});
