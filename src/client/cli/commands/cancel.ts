import { Command } from 'commander';
import { askJob } from '../jobs.js';
import { EXIT, print, say } from '../output.js';
import { explain } from '../problem.js';
import { openSession } from '../session.js';
import { safeJson } from '../terminal/text.js';

/** `headway cancel ID...` */
export const cancelCommand = (): Command =>
  new Command('cancel')
    .description('Cancel jobs: one that waits ends at once, one that runs is told to stop')
    .argument('<id...>', 'the jobs')
    .action(async (ids: string[], _options: object, command: Command) => {
      const session = openSession(command);
      for (const id of ids) {
        try {
          const job = await askJob(session, id, '/cancel', { method: 'POST', tries: 1 });
          if (session.json) print(safeJson(job));
          else print(job.state === 'cancelled' ? `${id} is cancelled` : `${id} was told to stop`);
        } catch (error) {
          const words = explain(error);
          if (words === undefined) throw error;
          say(`error: ${id}: ${words}`);
          process.exitCode = EXIT.failed;
        }
      }
    });
