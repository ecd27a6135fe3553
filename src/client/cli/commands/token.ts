import { Command, InvalidArgumentError } from 'commander';
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

/** `headway token`: signs the token of a user (PROTOCOL.md, "Who is calling"). */
export const tokenCommand = (): Command =>
  new Command('token')
    .description('Sign the token of a user, with JWT_SECRET, TOKEN_SECRET or the secret in DATA_DIR')
    .requiredOption('--sub <name>', 'who its bearer is', text(200))
    .option('--tenant <name>', 'keeps the same name of two tenants apart', text(100))
    .option('--admin', 'may see and do everything')
    .option('--subscribe <pattern>', 'may follow these channels; may be given several times', pattern)
    .option('--publish <pattern>', 'may publish to these channels; may be given several times', pattern)
    .option('--job <name>', 'may start this kind of job only; may be given several times', several)
    .option('--expires <time>', 'valid for so long: 15m, 12h, 30d', lifetime, DAY_MS)
    .action(async ({ sub, tenant, job, expires, ...rights }: TokenOptions) => {
      const { signUser } = await import('../sign.js');
      print(await signUser({ sub, tenant, rights: { ...rights, jobs: job }, expiresMs: expires }));
    });

function text(max: number): (value: string) => string {
  return (value) => {
    if (value === '' || value.length > max) throw new InvalidArgumentError(`It has 1 to ${max} characters.`);
    return value;
  };
}

function lifetime(value: string): number {
  const ms = duration(value);
  if (ms < 1000) throw new InvalidArgumentError('A token is valid for a second at least.');
  return ms;
}
