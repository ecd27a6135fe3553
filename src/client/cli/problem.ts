import { ProblemError } from '../errors.js';
import { safeLine } from './terminal/text.js';

/** Invalid input. It is reported in one line, and the exit code is 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Any other expected error. It is reported in one line, and the exit code is 1. */
export class CliError extends Error {
  override readonly name = 'CliError';
}

/** Returns an error as one line, with advice if there is any; `undefined` for an unexpected error. */
export function explain(error: unknown): string | undefined {
  if (error instanceof UsageError || error instanceof CliError) return safeLine(error.message);
  if (!(error instanceof ProblemError)) return undefined;
  const { code, status, message, problem } = error;
  const details = problem.errors?.map(({ pointer, detail }) => `${pointer}: ${detail}`.replace(/^: /, ''));
  const text = safeLine(details?.length ? details.join('; ') : message);
  if (isUntrusted(error)) return `${text} ${UNTRUSTED}`;
  if (status === 0) return `${text} Is the service running? Set its address with --url or HEADWAY_URL.`;
  const hint = HINTS[code];
  return hint ? `${text} ${hint}` : text;
}

const UNTRUSTED =
  'Its certificate is not trusted. If its authority is private, set NODE_EXTRA_CA_CERTS to the PEM file of the authority.';

/** Whether the service was not reached because the authority of its certificate is unknown. */
function isUntrusted({ cause }: ProblemError): boolean {
  const { code } = (cause as { cause?: { code?: unknown } } | undefined)?.cause ?? {};
  return typeof code === 'string' && /^(SELF_SIGNED_|UNABLE_TO_(VERIFY|GET_ISSUER)|DEPTH_ZERO_)/.test(code);
}

const HINTS: Record<string, string> = {
  'not-found': 'This machine has no token for that job: use --token or HEADWAY_TOKEN.',
  'idempotency-conflict':
    'Uploading a file again creates another file: pass the id of the first one in --data.',
  'invalid-token': 'Use another token: --token or HEADWAY_TOKEN.',
  'sign-in': 'Use a token: --token or HEADWAY_TOKEN.',
};
