import { Command, Option } from 'commander';
import { cancelCommand } from './commands/cancel.js';
import { completionCommand, knownJobsCommand } from './commands/completion.js';
import { devCommand } from './commands/dev.js';
import { doctorCommand } from './commands/doctor.js';
import { keysCommand } from './commands/keys.js';
import { logsCommand } from './commands/logs.js';
import { lsCommand } from './commands/ls.js';
import { publishCommand } from './commands/publish.js';
import { retryCommand } from './commands/retry.js';
import { runCommand } from './commands/run.js';
import { tailCommand } from './commands/tail.js';
import { tokenCommand } from './commands/token.js';
import { watchCommand } from './commands/watch.js';
import { about } from './package.js';
import { address, visible } from './values.js';
import { DEFAULT_URL } from './watch-to-end.js';

const COMMANDS = [
  runCommand,
  watchCommand,
  cancelCommand,
  retryCommand,
  lsCommand,
  logsCommand,
  publishCommand,
  tailCommand,
  tokenCommand,
  keysCommand,
  devCommand,
  doctorCommand,
  completionCommand,
];

/** Creates the commands, with the options that all of them share. Invalid input throws a CommanderError. */
export function createProgram(): Command {
  const program = new Command('headway')
    .description('Long-running jobs with live progress')
    .version(about().version)
    .addOption(
      new Option('--url <url>', 'address of the service')
        .env('HEADWAY_URL')
        .default(DEFAULT_URL)
        .argParser(address),
    )
    .addOption(
      new Option('--token <token>', 'token of a user, an admin or a job')
        .env('HEADWAY_TOKEN')
        .argParser(visible),
    )
    .option('--json', 'print a JSON object per line, for scripts')
    .exitOverride();
  const add = (command: Command, hidden: boolean): void => {
    command.copyInheritedSettings(program);
    for (const part of command.commands) part.copyInheritedSettings(command);
    program.addCommand(command, { hidden });
  };
  for (const create of COMMANDS) add(create(), false);
  add(knownJobsCommand(), true);
  return program;
}
