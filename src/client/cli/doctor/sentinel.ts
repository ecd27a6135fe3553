import { isCluster, type RedisClient } from '../../../shared/redis/client.js';
import { explainSentinels } from '../../../shared/redis/explain-sentinels.js';
import { askSentinels, type SentinelAnswer } from '../../../shared/redis/sentinel.js';
import { type Finding, ok, problem, warning } from './finding.js';

/** Asks the Sentinels of a connection for its master, and checks that they agree. Empty without Sentinel. */
export async function checkSentinels(redis: RedisClient): Promise<Finding[]> {
  if (isCluster(redis) || !redis.options.sentinels) return [];
  const { options } = redis;
  return judgeSentinels(await askSentinels(options), options.name ?? '');
}

/** Judges what the Sentinels answered about the master of this name. */
export function judgeSentinels(answers: readonly SentinelAnswer[], name: string): Finding[] {
  const check = 'redis sentinels';
  const masters = [...new Set(answers.flatMap(({ master }) => master ?? []))];
  const [master, ...others] = masters;
  if (master === undefined) {
    const found = explainSentinels(answers, name)?.text ?? 'none was asked';
    return [problem(check, found, 'Start the Sentinels, or correct REDIS_URL and REDIS_SENTINEL_PASSWORD.')];
  }
  if (others.length > 0) {
    const found = answers.flatMap((answer) =>
      answer.master ? `${answer.sentinel} names ${answer.master}` : [],
    );
    const advice = 'A failover may be going on. If this stays, compare the configurations of the Sentinels.';
    return [problem(check, `they disagree: ${found.join(', ')}`, advice)];
  }
  const silent = answers.filter((answer) => !answer.master);
  const agreeing = `${answers.length - silent.length} of ${answers.length} name ${master} as ${name}`;
  if (silent.length > 0) {
    const found = `${agreeing}; not ${silent.map(({ sentinel, error }) => `${sentinel} (${error?.message ?? 'unknown master'})`).join(', ')}`;
    return [warning(check, found, 'A failover needs a majority of the Sentinels.')];
  }
  return [
    answers.length < 3
      ? warning(check, agreeing, 'Name three Sentinels or more, on different machines.')
      : ok(check, agreeing),
  ];
}

/** Checks that the master has a replica that could replace it, from the answer to `INFO`. */
export function checkReplicas(info: Map<string, string>): Finding {
  const check = 'redis replicas';
  const replicas = Number(info.get('connected_slaves') ?? 0);
  if (replicas === 0) {
    return problem(check, 'none: a failover is impossible', 'Start a replica of the master.');
  }
  return ok(check, `${replicas} connected`);
}
