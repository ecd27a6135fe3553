import { Command } from 'commander';
import { UsageError } from '../problem.js';

/** `headway dev`: runs the processes of a project for development, with one command. */
export const devCommand = (): Command =>
  new Command('dev')
    .description('Run the server, the worker and Redis of a project, for development')
    .option('--server <path>', 'program that serves the API; restarted when its files change')
    .option('--worker <path>', 'program that runs the jobs; restarted when its files change')
    .argument('[command...]', 'command to run beside them, after "--": -- next dev')
    .action(async (command: string[], { server, worker }: { server?: string; worker?: string }) => {
      if (!server && !worker && command.length === 0) {
        throw new UsageError('there is nothing to run: give --server, --worker or a command after "--"');
      }
      const { runDevelopment } = await import('../dev/run.js');
      process.exitCode = await runDevelopment({ server, worker, command });
    });
