import { Command } from 'commander';
import type { Finding } from '../doctor/finding.js';
import { checkLocal } from '../doctor/local.js';
import { checkService } from '../doctor/service.js';
import { EXIT, print } from '../output.js';
import { about } from '../package.js';
import { openSession } from '../session.js';
import { createPaint, hasColours } from '../terminal/colour.js';
import { pad, safeJson, safeLine } from '../terminal/text.js';

const STYLES = { ok: 'green', warning: 'yellow', problem: 'red', skipped: 'dim' } as const;

/** `headway doctor`: checks the installation and suggests what to fix. */
export const doctorCommand = (): Command =>
  new Command('doctor')
    .description('Check versions, the API and Redis, and suggest fixes; exits with 1 if there is a problem')
    .option('--no-redis', 'skip Redis (on a machine that cannot reach it)')
    .action(async ({ redis }: { redis: boolean }, command: Command) => {
      const session = openSession(command);
      const paint = createPaint(hasColours(process.stdout));
      let problems = 0;
      const report = (findings: Finding[]): void => {
        for (const { level, check, found, advice } of findings) {
          if (level === 'problem') problems++;
          if (session.json) {
            print(safeJson({ level, check, found, ...(advice ? { advice } : {}) }));
            continue;
          }
          print(`${paint(STYLES[level], pad(level, 8))} ${pad(check, 17)} ${safeLine(found)}`);
          if (advice) print(`${' '.repeat(27)}${paint('bold', safeLine(advice))}`);
        }
      };
      const { version, engines } = about();
      report(checkLocal(version, engines.node));
      const { findings, kinds } = await checkService(session);
      report(findings);
      const { checkRedisServer } = await import('../doctor/redis.js');
      report(redis ? await checkRedisServer(process.env, kinds) : []);
      const { checkFiles } = await import('../doctor/files.js');
      report(await checkFiles(process.env));
      if (problems > 0) process.exitCode = EXIT.failed;
    });
