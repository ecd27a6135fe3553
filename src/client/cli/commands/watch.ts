import { Command } from 'commander';
import { checkJob } from '../jobs.js';
import { checkOutput } from '../result.js';
import { openSession } from '../session.js';
import { watchToEnd } from '../watch-to-end.js';

/** `headway watch ID`: watches a job until it ends. */
export const watchCommand = (): Command =>
  new Command('watch')
    .description('Watch a job until it ends, print or save its result; Ctrl-C does not affect the job')
    .argument('<id>', 'job id')
    .option('-o, --output <path>', 'save the result: its file, or everything into a folder')
    .action(async (id: string, { output }: { output?: string }, command: Command) => {
      const session = openSession(command);
      await checkOutput(output);
      await checkJob(session, id);
      process.exitCode = await watchToEnd(session, { id, output });
    });
