import { Command, InvalidArgumentError } from 'commander';
import { print, say } from '../output.js';
import { openSession } from '../session.js';
import { pad, safeJson, safeLine } from '../terminal/text.js';
import { duration, pattern, several } from '../values.js';

interface MakeOptions {
  sub?: string;
  tenant?: string;
  admin?: boolean;
  subscribe?: string[];
  publish?: string[];
  job?: string[];
  expires?: number;
}

interface Key {
  id: string;
  name: string;
  sub: string;
  tenant?: string;
  admin: boolean;
  subscribe: string[];
  publish: string[];
  jobs?: string[];
  createdAt: number;
  usedAt?: number;
  expiresAt?: number;
}

/** `headway keys`: the API keys of servers, for an admin. */
export const keysCommand = (): Command => {
  const keys = new Command('keys').description('API keys for servers (with the token of an admin)');
  keys.addCommand(makeCommand()).addCommand(listCommand()).addCommand(revokeCommand());
  return keys;
};

const makeCommand = (): Command =>
  new Command('make')
    .description('Make a key. Its secret is printed once, and kept nowhere')
    .argument('<name>', 'what it is for')
    .option('--sub <name>', 'whose jobs it starts (default: its name)')
    .option('--tenant <name>', 'of which tenant')
    .option('--admin', 'may see and do everything')
    .option('--subscribe <pattern>', 'may follow these channels; may be given several times', pattern)
    .option('--publish <pattern>', 'may publish to these channels; may be given several times', pattern)
    .option('--job <name>', 'may start this kind of job only; may be given several times', several)
    .option('--expires <time>', 'valid for so long: 12h, 90d (default: until it is revoked)', lifetime)
    .action(async (name: string, { job, expires, ...rights }: MakeOptions, command: Command) => {
      const { askJson, json } = openSession(command);
      const body = {
        name,
        ...rights,
        ...(job ? { jobs: job } : {}),
        ...(expires === undefined ? {} : { expiresAt: new Date(Date.now() + expires).toISOString() }),
      };
      const { secret, ...key } = await askJson('v1/keys', { method: 'POST', json: body });
      if (json) return print(safeJson({ ...key, secret }));
      print(secret);
      say(`The key ${key.id} is made. This is the only time that its secret is shown.`);
    });

const listCommand = (): Command =>
  new Command('ls').description('List the keys').action(async (_options: object, command: Command) => {
    const { askJson, json } = openSession(command);
    const { keys } = (await askJson('v1/keys')) as { keys: Key[] };
    for (const key of keys) print(json ? safeJson(key) : lineOf(key));
    if (keys.length === 0 && !json) say('No keys.');
  });

const revokeCommand = (): Command =>
  new Command('revoke')
    .description('Revoke keys: what they hold open ends at once')
    .argument('<id...>', 'the keys')
    .action(async (ids: string[], _options: object, command: Command) => {
      const { ask } = openSession(command);
      for (const id of ids) {
        await ask(`v1/keys/${encodeURIComponent(id)}`, { method: 'DELETE' });
        say(`The key ${id} is revoked.`);
      }
    });

function lineOf({ id, name, sub, tenant, admin, subscribe, publish, jobs, usedAt, expiresAt }: Key): string {
  const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
  const rights = [
    ...(admin ? ['admin'] : []),
    ...subscribe.map((one) => `subscribe ${one}`),
    ...publish.map((one) => `publish ${one}`),
    ...(jobs ? [`jobs ${jobs.join(',')}`] : []),
  ].join(', ');
  const who = tenant ? `${tenant}/${sub}` : sub;
  const used = usedAt ? `used ${day(usedAt)}` : 'never used';
  const until = expiresAt ? `until ${day(expiresAt)}` : '';
  return [pad(id, 12), pad(safeLine(name), 20), pad(safeLine(who), 20), pad(used, 15), until, rights]
    .join('  ')
    .trimEnd();
}

function lifetime(value: string): number {
  const ms = duration(value);
  if (ms < 1000) throw new InvalidArgumentError('A key is valid for a second at least.');
  return ms;
}
