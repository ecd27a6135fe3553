import { ProblemError } from '../errors.js';
import { safeLine } from './terminal/text.js';

/** What was typed is wrong: one line, and exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** Something else went wrong in a way that one line explains: exit code 1. */
export class CliError extends Error {
  override name = 'CliError';
}

/** An error in one line that says what to do where that is known; `undefined` for one that is a mistake of ours. */
export function explain(error: unknown): string | undefined {
  if (error instanceof UsageError || error instanceof CliError) return safeLine(error.message);
  if (!(error instanceof ProblemError)) return undefined;
  const { code, status, message, problem } = error;
  const details = problem.errors?.map(({ pointer, detail }) => `${pointer}: ${detail}`.replace(/^: /, ''));
  const text = safeLine(details?.length ? details.join('; ') : message);
  if (status === 0) return `${text} Is the service running? --url or HEADWAY_URL says where it is.`;
  const hint = HINTS[code];
  return hint ? `${text} ${hint}` : text;
}

const HINTS: Record<string, string> = {
  'not-found': 'Its token is known here only if it was started here: else give --token or HEADWAY_TOKEN.',
  'idempotency-conflict':
    'A file that is uploaded again is another file: name one that is there already in --data.',
  'invalid-token': 'Give another one with --token or HEADWAY_TOKEN.',
  'sign-in': 'Give its token with --token or HEADWAY_TOKEN.',
};
