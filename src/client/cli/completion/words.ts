import type { Command } from 'commander';

/** What can be completed after a command. */
export interface CommandWords {
  name: string;
  description: string;
  options: Array<{
    flag: string;
    takesValue: boolean;
    description: string;
    choices: string[];
    isFile: boolean;
  }>;
  /** Its first argument is the id of a job, one of these words, or something else. */
  argument: 'job' | string[] | undefined;
}

/** The names of the commands that a command is made of. */
const partsOf = ({ commands }: Command): string[] | undefined =>
  commands.length > 0 ? commands.map((part) => part.name()) : undefined;

/** What each command takes, read from the commands themselves. */
export function wordsOf(program: Command): CommandWords[] {
  const help = program.createHelp();
  return help.visibleCommands(program).map((command) => {
    const [argument] = command.registeredArguments;
    return {
      name: command.name(),
      description: command.description(),
      argument: /^id/.test(argument?.name() ?? '') ? 'job' : (argument?.argChoices ?? partsOf(command)),
      options: [...command.options, ...program.options.filter(({ long }) => long !== '--version')].flatMap(
        (option) =>
          option.long
            ? {
                flag: option.long,
                takesValue: option.required || option.optional,
                description: option.description,
                choices: option.argChoices ?? [],
                isFile: /<path>/.test(option.flags),
              }
            : [],
      ),
    };
  });
}
