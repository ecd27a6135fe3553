import type { TerminalState } from '../jobs/states.js';

/** The maximum size of a webhook's body, in bytes. */
export const MAX_BODY_BYTES = 256 * 1024;
const MAX_MESSAGE = 10_000;

/** A job that has ended, as in `GET /v1/jobs/:id`. */
export type EndedJobView = Record<string, unknown> & { id: string };

/**
 * Returns the body of a webhook. If it would be too large, result and progress are omitted, the error message is shortened,
 * and a note is added.
 */
export function webhookBody(event: TerminalState, at: number, job: EndedJobView): string {
  const body = serialize(event, at, job);
  if (Buffer.byteLength(body) <= MAX_BODY_BYTES) return body;
  const { result: _leftOut, error, ...rest } = job;
  return serialize(event, at, {
    ...rest,
    progress: null,
    ...(error ? { error: cut(error as { message: string }) } : {}),
    note: `Result and progress were omitted because the body would exceed ${MAX_BODY_BYTES} bytes. See links.self for the whole job.`,
  });
}

const serialize = (event: TerminalState, at: number, data: EndedJobView): string =>
  JSON.stringify({ type: `job.${event}`, timestamp: new Date(at).toISOString(), data });

const cut = <E extends { message: string }>(error: E): E => ({
  ...error,
  message: error.message.slice(0, MAX_MESSAGE),
});
