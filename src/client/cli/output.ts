/** Exit codes beside 0; those above 128 are the signal's number and 128, as shells have it. */
export const EXIT = { failed: 1, usage: 2, brokenPipe: 141 } as const;
const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

export type StopSignal = keyof typeof SIGNALS;
export const STOP_SIGNALS = Object.keys(SIGNALS) as StopSignal[];
export const exitOf = (signal: StopSignal): number => 128 + SIGNALS[signal];

/** A line of the result: to standard output. */
export const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** A message to who sits there: to standard error. */
export const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** Whoever read our output has enough (`| head`): ends without a word. Messages that nobody reads are lost. */
export function quietPipes(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? EXIT.brokenPipe : EXIT.failed);
  });
  process.stderr.on('error', () => {});
}

/** Ends the process when what was printed has been taken. */
export function exit(code: number): void {
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
}
