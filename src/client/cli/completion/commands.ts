import type { Command } from 'commander';

/** A command with everything that can be completed after it. */
export interface CompletedCommand {
  name: string;
  description: string;
  options: Array<{
    flag: string;
    takesValue: boolean;
    description: string;
    choices: string[];
    isFile: boolean;
  }>;
  /** What the first argument is: the id of a job, or one of these words; `undefined` for anything else. */
  argument: 'job' | string[] | undefined;
}

/** The names of a command's subcommands. */
const partsOf = ({ commands }: Command): string[] | undefined =>
  commands.length > 0 ? commands.map((part) => part.name()) : undefined;

/** Returns the commands with their options and arguments, read from the commands themselves. */
export function commandsOf(program: Command): CompletedCommand[] {
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
