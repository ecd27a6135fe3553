import { Command } from 'commander';
import { attend } from '../attend.js';
import { askJob } from '../jobs.js';
import { print } from '../output.js';
import { openSession } from '../session.js';
import { safeJson } from '../terminal/text.js';

/** `headway retry ID` */
export const retryCommand = (): Command =>
  new Command('retry')
    .description('Run a failed or cancelled job again, under its id')
    .argument('<id>', 'the job')
    .option('-w, --watch', 'watch it to its end')
    .action(async (id: string, { watch }: { watch?: boolean }, command: Command) => {
      const session = openSession(command);
      const job = await askJob(session, id, '/retry', { method: 'POST' });
      if (watch) process.exitCode = await attend(session, { id, mayCancel: true });
      else print(session.json ? safeJson(job) : `${id} waits again`);
    });
