import { Command, InvalidArgumentError } from 'commander';
import { print, printMessage } from '../output.js';
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

/** `headway keys`: manages API keys for servers. Requires an admin token. */
export const keysCommand = (): Command => {
  const keys = new Command('keys').description('Manage API keys for servers (requires an admin token)');
  keys.addCommand(makeCommand()).addCommand(listCommand()).addCommand(revokeCommand());
  return keys;
};

const makeCommand = (): Command =>
  new Command('make')
    .description('Create a key; its secret is printed once and not stored')
    .argument('<name>', 'what the key is for')
    .option('--sub <name>', 'owner of the jobs that it starts (default: the name of the key)')
    .option('--tenant <name>', 'tenant of the key')
    .option('--admin', 'full access')
    .option('--subscribe <pattern>', 'channels that it may subscribe to; repeatable', pattern)
    .option('--publish <pattern>', 'channels that it may publish to; repeatable', pattern)
    .option('--job <name>', 'kinds of job that it may start (default: all); repeatable', several)
    .option('--expires <time>', 'lifetime: 12h, 90d (default: until it is revoked)', lifetime)
    .action(async (name: string, { job, expires, ...rights }: MakeOptions, command: Command) => {
      const { requestJson, json } = openSession(command);
      const body = {
        name,
        ...rights,
        ...(job ? { jobs: job } : {}),
        ...(expires === undefined ? {} : { expiresAt: new Date(Date.now() + expires).toISOString() }),
      };
      const { secret, ...key } = await requestJson('v1/keys', { method: 'POST', json: body });
      if (json) return print(safeJson({ ...key, secret }));
      print(secret);
      printMessage(`Created the key ${key.id}. Its secret is not shown again.`);
    });

const listCommand = (): Command =>
  new Command('ls').description('List keys').action(async (_options: object, command: Command) => {
    const { requestJson, json } = openSession(command);
    const { keys } = (await requestJson('v1/keys')) as { keys: Key[] };
    for (const key of keys) print(json ? safeJson(key) : lineOf(key));
    if (keys.length === 0 && !json) printMessage('No keys.');
  });

const revokeCommand = (): Command =>
  new Command('revoke')
    .description('Revoke keys; connections opened with them are closed at once')
    .argument('<id...>', 'key ids')
    .action(async (ids: string[], _options: object, command: Command) => {
      const { request } = openSession(command);
      for (const id of ids) {
        await request(`v1/keys/${encodeURIComponent(id)}`, { method: 'DELETE' });
        printMessage(`Revoked the key ${id}.`);
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
  if (ms < 1000) throw new InvalidArgumentError('The lifetime of a key is at least 1 s.');
  return ms;
}
