// An anonymous attacker from one address, next to a signed-in user: how much slower do the user's calls and events become?
import { join } from 'node:path';
import { row } from './lib/goals.mjs';
import { startHeadway } from './lib/installations.mjs';
import { sleep, startMeasured, temporaryFolder } from './lib/processes.mjs';
import { scaled } from './lib/sizes.mjs';
import { userToken } from './lib/token.mjs';

const QUIET_MS = scaled(60_000);
const ATTACK_MS = scaled(300_000);
const COUNTS = { jobs: 10_000, schedules: 1000, streams: 5000, uploads: 3000, passwords: 3000, lists: 3000 };

export async function attack() {
  console.log(
    `\nattack: a signed-in user for ${QUIET_MS / 1000} s alone, and for ${ATTACK_MS / 1000} s under attack`,
  );
  const rules = [{ channel: 'public.**', subscribe: 'anyone', publish: 'anyone' }];
  const headway = await startHeadway({
    env: {
      LIMIT_LOOPBACK: 'on',
      AUDIT_LOG: join(temporaryFolder(), 'audit.log'),
      CHANNEL_RULES: JSON.stringify(rules),
    },
  });
  const { url } = headway.api;
  const token = userToken(headway.settings.TOKEN_SECRET, 'user', {
    subscribe: ['user.**'],
    publish: ['user.**'],
  });
  const user = await startMeasured('bench/lib/signed-in-user.mjs', {});
  const attacker = await startMeasured('bench/lib/attacker.mjs', {});
  user.send({ url, token });
  await user.next();
  const report = async () => {
    user.send({ report: true });
    return user.next();
  };
  await sleep(scaled(10_000));
  await report();
  await sleep(QUIET_MS);
  const quiet = await report();
  const counts = Object.fromEntries(Object.entries(COUNTS).map(([action, times]) => [action, scaled(times)]));
  attacker.send({ url, ms: ATTACK_MS, counts });
  const { tally } = await attacker.next();
  const attacked = await report();
  await Promise.all([user.stop(), attacker.stop()]);
  await headway.stop();
  for (const [what, count] of Object.entries(tally).sort())
    console.log(`  the attacker got: ${what}: ${count}`);
  for (const failure of attacked.failures.slice(0, 5)) console.log(`  the user got: ${failure}`);
  const compare = (what, name, goal) =>
    row(what, { unit: 'ms', peer: quiet[name], headway: attacked[name], ...goal });
  return [
    compare('POST of a signed-in user under attack, p99 (peer: before the attack)', 'postP99', {
      atMost: 1.5,
    }),
    compare('the same, p50', 'postP50'),
    compare('an event of a signed-in user under attack, p99 (peer: before)', 'eventP99', { atMost: 1.5 }),
    compare('the same, p50', 'eventP50'),
    row('failed calls of the user', { headway: attacked.failures.length, atMost: 0 }),
  ];
}
