import { Command, InvalidArgumentError, Option } from 'commander';
import { print } from '../output.js';
import { duration, pattern, several } from '../values.js';

const DAY_MS = 86_400_000;

interface TokenOptions {
  sub: string;
  tenant?: string;
  admin?: boolean;
  subscribe?: string[];
  publish?: string[];
  job?: string[];
  expires: number;
}

/** `headway token`: signs a user token (docs/reference/http.md, "User tokens"). */
export const tokenCommand = (): Command =>
  new Command('token')
    .description('Sign a user token with JWT_SECRET, TOKEN_SECRET or the secret in DATA_DIR')
    .requiredOption('--sub <name>', 'user of the token', text(200))
    .option('--tenant <name>', 'tenant of the user', text(100))
    .option('--admin', 'full access')
    .option('--subscribe <pattern>', 'channels that the user may subscribe to; repeatable', pattern)
    .option('--publish <pattern>', 'channels that the user may publish to; repeatable', pattern)
    .option('--job <name>', 'kinds of job that the user may start (default: all); repeatable', several)
    .addOption(
      new Option('--expires <time>', 'lifetime: 15m, 12h, 30d').argParser(lifetime).default(DAY_MS, '1d'),
    )
    .action(async ({ sub, tenant, job, expires, ...rights }: TokenOptions) => {
      const { signUser } = await import('../sign.js');
      print(await signUser({ sub, tenant, rights: { ...rights, jobs: job }, expiresMs: expires }));
    });

function text(max: number): (value: string) => string {
  return (value) => {
    if (value === '' || value.length > max)
      throw new InvalidArgumentError(`It must have 1 to ${max} characters.`);
    return value;
  };
}

function lifetime(value: string): number {
  const ms = duration(value);
  if (ms < 1000) throw new InvalidArgumentError('The lifetime of a token is at least 1 s.');
  return ms;
}
