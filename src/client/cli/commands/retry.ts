import { Command } from 'commander';
import { callJob } from '../jobs.js';
import { print } from '../output.js';
import { openSession } from '../session.js';
import { safeJson } from '../terminal/text.js';
import { watchToEnd } from '../watch-to-end.js';

/** `headway retry ID` */
export const retryCommand = (): Command =>
  new Command('retry')
    .description('Run a failed or cancelled job again, under the same id')
    .argument('<id>', 'job id')
    .option('-w, --watch', 'watch the job until it ends')
    .action(async (id: string, { watch }: { watch?: boolean }, command: Command) => {
      const session = openSession(command);
      const job = await callJob(session, id, '/retry', { method: 'POST' });
      if (watch) process.exitCode = await watchToEnd(session, { id, mayCancel: true });
      else print(session.json ? safeJson(job) : `${id}: waiting`);
    });
