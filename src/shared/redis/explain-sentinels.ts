import type { SentinelAnswer } from './sentinel.js';
import { connectionMistake, type Reason, textOf } from './unusable.js';

/** Replies of a Sentinel that stay the same until a setting or the Sentinel is changed, and what to do. */
const REPLIES: ReadonlyArray<[RegExp, (place: string, reply: string) => string]> = [
  [
    /^NOAUTH\b/,
    (place) => `the Sentinel at ${place} requires a password: set REDIS_SENTINEL_PASSWORD (NOAUTH)`,
  ],
  [
    /^WRONGPASS\b|^ERR (invalid password|AUTH|HELLO)|called without any password/,
    (place) =>
      `the Sentinel at ${place} rejects REDIS_SENTINEL_USERNAME or REDIS_SENTINEL_PASSWORD (WRONGPASS)`,
  ],
  [/^NOPERM\b/, (place, reply) => `the user of the Sentinel at ${place} lacks a permission: ${reply}`],
  [
    /^ERR unknown command/,
    (place) => `the server at ${place} is not a Sentinel: use redis:// for a Redis server`,
  ],
];

/**
 * Returns why no Sentinel leads to a master, as {@link mistakeIn} does: a mistake if each Sentinel has one, otherwise a reason
 * for waiting; `undefined` if a Sentinel names a master.
 * @param name the name of the master
 */
export function explainSentinels(answers: readonly SentinelAnswer[], name: string): Reason | undefined {
  if (answers.some(({ master }) => master)) return undefined;
  const mistakes = answers.map(({ sentinel, error }) => {
    if (!error)
      return `the Sentinel at ${sentinel} knows no master named "${name}": check the end of REDIS_URL`;
    const { name: kind, message } = error;
    if (kind !== 'ReplyError') return connectionMistake(error, sentinel, 'Sentinel');
    return REPLIES.find(([pattern]) => pattern.test(message))?.[1](sentinel, message);
  });
  const isMistake = mistakes.length > 0 && mistakes.every((mistake) => mistake !== undefined);
  const away = answers.map(({ sentinel, error }, i) => mistakes[i] ?? `${sentinel}: ${textOf(error)}`);
  return {
    text: isMistake ? (mistakes[0] ?? '') : `no Sentinel names the master (${away.join('; ')})`,
    isMistake,
  };
}
