import { Argument, Command } from 'commander';
import { bashScript } from '../completion/bash.js';
import { commandsOf } from '../completion/commands.js';
import { zshScript } from '../completion/zsh.js';
import { print } from '../output.js';
import { openSession } from '../session.js';

/** `headway completion bash|zsh` */
export const completionCommand = (): Command =>
  new Command('completion')
    .description('Print a shell completion script: source <(headway completion bash)')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh']))
    .action((shell: string, _options: object, command: Command) => {
      const commands = command.parent ? commandsOf(command.parent) : [];
      print(shell === 'bash' ? bashScript(commands) : zshScript(commands));
    });

/** `headway known-jobs`: lists the jobs started on this machine, for the completion scripts. */
export const knownJobsCommand = (): Command =>
  new Command('known-jobs').action(async (_options: object, command: Command) => {
    const { state, url } = openSession(command);
    for (const { id } of await state.jobs(url)) print(id);
  });
