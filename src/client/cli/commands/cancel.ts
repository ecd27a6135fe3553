import { Command } from 'commander';
import { callJob } from '../jobs.js';
import { EXIT, print, printMessage } from '../output.js';
import { explain } from '../problem.js';
import { openSession } from '../session.js';
import { safeJson } from '../terminal/text.js';

/** `headway cancel ID...` */
export const cancelCommand = (): Command =>
  new Command('cancel')
    .description('Cancel jobs; running jobs are asked to stop')
    .argument('<id...>', 'job ids')
    .action(async (ids: string[], _options: object, command: Command) => {
      const session = openSession(command);
      for (const id of ids) {
        try {
          const job = await callJob(session, id, '/cancel', { method: 'POST', tries: 1 });
          if (session.json) print(safeJson(job));
          else print(job.state === 'cancelled' ? `${id}: cancelled` : `${id}: cancellation requested`);
        } catch (error) {
          const explanation = explain(error);
          if (explanation === undefined) throw error;
          printMessage(`error: ${id}: ${explanation}`);
          process.exitCode = EXIT.failed;
        }
      }
    });
