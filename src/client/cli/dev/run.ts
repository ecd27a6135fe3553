import { basename } from 'node:path';
import { onParentGone } from '../../../shared/process/parent.js';
import { STOP_SIGNALS } from '../output.js';
import { hasColours } from '../terminal/colour.js';
import { openGroups, type ProcessGroup } from './groups.js';
import { createLinePrinter } from './lines.js';
import { runProgram } from './program.js';
import { findRedis } from './redis.js';

/** How long processes have to exit, in ms. A worker hands back its running jobs after `SHUTDOWN_GRACE_MS`. */
const GRACE_MS = 5000;
const HAND_BACK_MS = '2000';
/** npm forwards a Ctrl-C that the terminal has also sent to this process. */
const SAME_SIGNAL_MS = 500;

export interface DevelopmentOptions {
  /** Programs of the project. */
  server: string | undefined;
  worker: string | undefined;
  /** A command to run beside them; empty for none. */
  command: string[];
}

/**
 * Runs the processes of a project until a signal, or until the command or Redis ends. Nothing is left running then.
 * @returns the exit code
 * @throws CliError, UsageError if there is no Redis
 */
export async function runDevelopment({ server, worker, command }: DevelopmentOptions): Promise<number> {
  loadEnvFile();
  process.env.SHUTDOWN_GRACE_MS ||= HAND_BACK_MS;
  // Their output goes through pipes, so the processes do not see that it ends in a terminal.
  if (hasColours(process.stdout)) process.env.FORCE_COLOR ??= '1';
  const [program, ...args] = command;
  const commandName = basename(program ?? '');
  const print = createLinePrinter(['redis', 'server', 'worker', commandName]);
  const groups = openGroups();
  const running: ProcessGroup[] = [];

  const { promise: ended, resolve: end } = withResolvers<number>();
  let stoppingSince: number | undefined;
  const stopListening = onStop(() => {
    const now = performance.now();
    if (stoppingSince !== undefined && now - stoppingSince > SAME_SIGNAL_MS) groups.kill();
    stoppingSince ??= now;
    end(0);
  });
  const endWith = (name: string) => (how: string, code: number) => {
    if (stoppingSince === undefined) print(name, `${how}: stopping everything`);
    end(code);
  };
  try {
    const redis = await findRedis(groups, print, endWith('redis'));
    process.env.REDIS_URL = redis.url;
    const context = { groups, print, graceMs: GRACE_MS };
    if (server) running.push(runProgram('server', server, context));
    if (worker) running.push(runProgram('worker', worker, context));
    if (program) {
      const onLine = (line: string): void => print(commandName, line);
      running.push(groups.start(program, { args, onLine, onEnd: endWith(commandName) }));
    }
    const code = await ended;
    await Promise.all(running.map((group) => group.stop(GRACE_MS)));
    // The others need it until they have ended.
    await redis.server?.stop(GRACE_MS);
    return code;
  } finally {
    stopListening();
    groups.close();
  }
}

/** Reads the project's `.env`, as Next.js and Nuxt do. Variables that are set already stay as they are. */
function loadEnvFile(): void {
  try {
    process.loadEnvFile('.env');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** Calls a function at each signal to stop, and when npm is gone, which cannot forward SIGKILL. */
function onStop(stop: () => void): () => void {
  for (const signal of STOP_SIGNALS) process.on(signal, stop);
  if (process.env.npm_lifecycle_event) onParentGone(stop, [`--stop-with-parent=${process.ppid}`]);
  return () => {
    for (const signal of STOP_SIGNALS) process.off(signal, stop);
  };
}

function withResolvers<T>(): { promise: Promise<T>; resolve(value: T): void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
