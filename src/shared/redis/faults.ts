/** What Redis answers with while it cannot serve any call of this kind, whatever the call is about. */
const REFUSALS = [
  'READONLY',
  'BUSY',
  'LOADING',
  'OOM',
  'MISCONF',
  'NOREPLICAS',
  'MASTERDOWN',
  'CLUSTERDOWN',
  'TRYAGAIN',
  'MOVED',
  'ASK',
  'NOAUTH',
  'WRONGPASS',
  'NOPERM',
  'NOSCRIPT',
  'UNKILLABLE',
  'UNBLOCKED',
].join('|');

/** At the start of an answer, or where Redis 6 quotes what a command inside a script was answered. */
const answered = (codes: string): RegExp =>
  new RegExp(`^-?(?:${codes})\\b|@user_script: ?\\d+: -?(?:${codes})\\b`);
const REFUSED = answered(REFUSALS);
const READ_ONLY = answered('READONLY');
const TOO_MANY = /^ERR max number of clients/;

const CONNECTION_ERRORS = new Set([
  'AbortError',
  'InterruptError',
  'MaxRetriesPerRequestError',
  'ClusterAllFailedError',
  'ParserError',
  'ServerReplacedError',
]);
const CONNECTION_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'NR_CLOSED',
]);
const CONNECTION_MESSAGES =
  /^(?:Connection is closed|Command timed out|Stream isn't writeable|Socket timeout|connect ETIMEDOUT|timeout$)/;

/**
 * Whether an error means that Redis is away or refuses to serve: every call fails like this one, and trying again
 * later helps. Any other error is about the data that the call was for.
 */
export function isRedisFault(error: unknown): boolean {
  // A request that its caller aborts is an AbortError too.
  if (!(error instanceof Error) || error instanceof DOMException) return false;
  const { name, message } = error;
  if (name === 'ReplyError') return REFUSED.test(message) || TOO_MANY.test(message);
  const { code } = error as NodeJS.ErrnoException;
  return (
    CONNECTION_ERRORS.has(name) ||
    (code !== undefined && CONNECTION_CODES.has(code)) ||
    CONNECTION_MESSAGES.test(message)
  );
}

/** Whether a server refused to write because it is a replica. */
export const isReadOnly = (error: Error): boolean => READ_ONLY.test(error.message);
