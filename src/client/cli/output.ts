/** Exit codes besides 0. Those above 128 are 128 plus the number of a signal, as in shells. */
export const EXIT = { failed: 1, usage: 2, brokenPipe: 141 } as const;
const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

export type StopSignal = keyof typeof SIGNALS;
export const STOP_SIGNALS = Object.keys(SIGNALS) as StopSignal[];
export const exitOf = (signal: StopSignal): number => 128 + SIGNALS[signal];

/** Prints a line of the result to standard output. */
export const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** Prints a message for the user to standard error. */
export const printMessage = (line: string): void => void process.stderr.write(`${line}\n`);

/** Exits silently when the reader of standard output closes it (`| head`). Unread messages are dropped. */
export function quietPipes(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? EXIT.brokenPipe : EXIT.failed);
  });
  process.stderr.on('error', () => {});
}

/** Exits once all output has been written. */
export function exit(code: number): void {
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
}
