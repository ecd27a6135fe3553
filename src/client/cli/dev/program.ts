import { isAbsolute, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { watchChanges } from './changes.js';
import type { ProcessGroup, ProcessGroups } from './groups.js';
import type { PrintLine } from './lines.js';

/** The wait before a crashed program is started again: doubled each time, and the first one after it has run for a while. */
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 10_000;
const HEALTHY_MS = 10_000;

const PRELOAD = new URL('./typescript.js', import.meta.url).href;

export interface ProgramContext {
  groups: ProcessGroups;
  print: PrintLine;
  /** How long the program has to exit before it is restarted, in ms. */
  graceMs: number;
}

/**
 * Runs a program of the project, in JavaScript or TypeScript. It is started again when it crashes, and when a file that it
 * imports from outside of `node_modules` changes.
 */
export function runProgram(
  name: string,
  path: string,
  { groups, print, graceMs }: ProgramContext,
): ProcessGroup {
  const file = resolve(path);
  let group: ProcessGroup | undefined;
  let timer: NodeJS.Timeout | undefined;
  let waitMs = FIRST_WAIT_MS;
  let isStopping = false;
  let isRestarting = false;

  const changes = watchChanges(async (changed) => {
    if (isStopping || isRestarting) return;
    isRestarting = true;
    waitMs = FIRST_WAIT_MS;
    print(name, `${relative('', changed)} has changed: restarting`);
    await group?.stop(graceMs);
    isRestarting = false;
    if (!isStopping) start();
  });
  changes.add(file);

  function start(): void {
    clearTimeout(timer);
    const startedAt = performance.now();
    group = groups.start(process.execPath, {
      args: ['--enable-source-maps', '--disable-warning=ExperimentalWarning', '--import', PRELOAD, file],
      // Makes Node report what it imports. `node --watch` does the same, but does not start a crashed program again.
      env: { ...process.env, WATCH_REPORT_DEPENDENCIES: '1' },
      onMessage(message) {
        for (const imported of importsIn(message)) changes.add(imported);
      },
      onLine: (line) => print(name, line),
      onEnd(how, code) {
        group = undefined;
        if (isStopping || isRestarting) return;
        if (code === 0) return print(name, `${how}: starts again when a file changes`);
        if (performance.now() - startedAt > HEALTHY_MS) waitMs = FIRST_WAIT_MS;
        print(name, `${how}: starts again in ${waitMs / 1000} s, or when a file changes`);
        timer = setTimeout(start, waitMs);
        waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
      },
    });
  }
  start();

  return {
    async stop(ms) {
      isStopping = true;
      clearTimeout(timer);
      changes.close();
      await group?.stop(ms);
    },
  };
}

/** Returns the project's files in a message with which Node reports imports: URLs, paths, names of its own modules, and `null`. */
function importsIn(message: unknown): string[] {
  const { 'watch:import': imported = [], 'watch:require': required = [] } = Object(message);
  return [imported, required]
    .flat()
    .filter((name) => typeof name === 'string')
    .map((name) => (name.startsWith('file:') ? fileURLToPath(name) : name))
    .filter((path) => isAbsolute(path) && !path.includes(`${sep}node_modules${sep}`));
}
