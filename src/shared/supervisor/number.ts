/** The supervisor gives each process its number with this option. */
const OPTION = '--process=';

/** Returns the arguments for a process under a supervisor, from those of the supervisor. */
export const argumentsFor = (number: number, args: readonly string[] = process.argv.slice(2)): string[] => [
  // Its parent is the supervisor, whose end it notices on the IPC channel.
  ...args.filter((arg) => !arg.startsWith('--stop-with-parent=')),
  `${OPTION}${number}`,
];

/** Returns the number of this process under its supervisor; `undefined` if it has none. */
export function supervisedNumber(args: readonly string[] = process.argv): number | undefined {
  const option = args.find((arg) => arg.startsWith(OPTION));
  return option === undefined || !process.send ? undefined : Number(option.slice(OPTION.length));
}
