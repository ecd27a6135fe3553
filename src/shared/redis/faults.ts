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
const REPLICA = answered('READONLY|MASTERDOWN');
const TOO_MANY = /^ERR max number of clients/;
/** Redis 7.0 has no code for a command of a script that the user may not run. */
const DENIED_IN_SCRIPT = /The user executing the script can't/;
const DENIED = answered('NOPERM');
const CLUSTER_DOWN = answered('CLUSTERDOWN');
/** A script could not use a key that it does not declare: its slot moves, or the node has lost the others. It has no code. */
const CHANGED_IN_SCRIPT =
  /Script attempted to (?:access a non local key|execute a (?:write )?command while the cluster is down)/;

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
  /^(?:Connection is closed|Command timed out|Stream isn't writeable|Socket timeout|None of startup nodes is available|Cluster isn't ready|Too many Cluster redirections|Cluster is (?:ended|disconnect)|connect ETIMEDOUT|timeout$)/;

/**
 * Returns whether an error means that Redis is unavailable or refuses to serve. Every call fails in the same way then, and a
 * retry helps. Any other error is about the data of the call.
 */
export function isRedisFault(error: unknown): boolean {
  // An aborted HTTP request is an AbortError too, but a DOMException.
  if (!(error instanceof Error) || error instanceof DOMException) return false;
  const { name, message } = error;
  if (name === 'ReplyError') {
    return [REFUSED, TOO_MANY, DENIED_IN_SCRIPT, CHANGED_IN_SCRIPT].some((reply) => reply.test(message));
  }
  const { code } = error as NodeJS.ErrnoException;
  return (
    CONNECTION_ERRORS.has(name) ||
    (code !== undefined && CONNECTION_CODES.has(code)) ||
    CONNECTION_MESSAGES.test(message)
  );
}

/** Returns whether a server refused a command because it is a replica. */
export const isFromReplica = (error: Error): boolean => REPLICA.test(error.message);

/** Returns whether a node refused a command because, for it, the Cluster is down. */
export const isClusterDown = ({ message }: Error): boolean => CLUSTER_DOWN.test(message);

/** Returns whether the user of Redis lacks the permission for a command, a key or a channel. */
export const isDenied = ({ message }: Error): boolean =>
  DENIED.test(message) || DENIED_IN_SCRIPT.test(message);

/** The states of Redis that callers are told, because an operator can tell from them what to do. */
const STATES: ReadonlyArray<[codes: RegExp, state: string]> = [
  [answered('READONLY'), 'Redis is a read-only replica (READONLY).'],
  [answered('LOADING'), 'Redis is loading its data (LOADING).'],
  [answered('BUSY|UNKILLABLE'), 'Redis is busy with a script (BUSY).'],
  [answered('MASTERDOWN'), 'Redis is a replica that has lost its master (MASTERDOWN).'],
  [answered('NOREPLICAS'), 'Redis has too few replicas to accept writes (NOREPLICAS).'],
  [answered('OOM'), 'Redis is out of memory (OOM).'],
  [answered('MISCONF'), 'Redis cannot save its data (MISCONF).'],
  [
    new RegExp(
      `${answered('MOVED|ASK|TRYAGAIN|CLUSTERDOWN').source}|^Too many Cluster redirections|${CHANGED_IN_SCRIPT.source}`,
    ),
    'Redis Cluster is changing (CLUSTERDOWN or MOVED).',
  ],
];

/** Returns in one sentence why Redis cannot serve a call that failed with a fault of Redis. */
export function describeFault({ message }: Error): string {
  return STATES.find(([codes]) => codes.test(message))?.[1] ?? 'Redis is unavailable.';
}
