import { Command } from 'commander';
import { attend } from '../attend.js';
import { checkJob } from '../jobs.js';
import { checkOutput } from '../result.js';
import { openSession } from '../session.js';

/** `headway watch ID`: shows a job to its end. */
export const watchCommand = (): Command =>
  new Command('watch')
    .description('Watch a job to its end, print or save its result; Ctrl-C leaves it alone')
    .argument('<id>', 'the job')
    .option('-o, --output <path>', 'save the result: its file, or into a folder all of it')
    .action(async (id: string, { output }: { output?: string }, command: Command) => {
      const session = openSession(command);
      await checkOutput(output);
      await checkJob(session, id);
      process.exitCode = await attend(session, { id, output });
    });
