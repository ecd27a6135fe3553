/** Error codes of Redis that say nothing about the call: the server cannot serve any call of this kind now. */
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

/** Matches a code at the start of an error message, or where Redis 6 quotes the error of a command inside a script. */
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
 * Returns whether an error means that Redis is unavailable or refuses to serve. Every call fails in the same way then, and a
 * retry helps. Any other error is about the data of the call.
 */
export function isRedisFault(error: unknown): boolean {
  // An aborted HTTP request is an AbortError too, but a DOMException.
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

/** Returns whether a server refused a write because it is a replica. */
export const isReadOnly = (error: Error): boolean => READ_ONLY.test(error.message);
