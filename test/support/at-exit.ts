/**
 * Calls a function when this process ends. Vitest ends its workers with SIGTERM, and a terminal sends SIGINT: without a
 * handler, Node ends without the event `exit`.
 */
export const atExit = (clean: () => void): void => void process.on('exit', clean);

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit());
