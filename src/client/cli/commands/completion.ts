import { Argument, Command } from 'commander';
import { bashScript } from '../completion/bash.js';
import { wordsOf } from '../completion/words.js';
import { zshScript } from '../completion/zsh.js';
import { print } from '../output.js';
import { openSession } from '../session.js';

/** `headway completion bash|zsh` */
export const completionCommand = (): Command =>
  new Command('completion')
    .description('Print the completion script of a shell: source <(headway completion bash)')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh']))
    .action((shell: string, _options: object, command: Command) => {
      const words = wordsOf(command.parent!);
      print(shell === 'bash' ? bashScript(words) : zshScript(words));
    });

/** `headway known-jobs`: the jobs that were started here, for the completion scripts. */
export const knownJobsCommand = (): Command =>
  new Command('known-jobs').action(async (_options: object, command: Command) => {
    const { state, url } = openSession(command);
    for (const { id } of await state.jobs(url)) print(id);
  });
