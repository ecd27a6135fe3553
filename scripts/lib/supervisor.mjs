import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** Exit code of a child that would fail again in the same way (EX_CONFIG). */
const EXIT_CONFIG = 78;
/** Wraps a program that does not stop by itself when the supervisor is killed. */
export const GUARD = fileURLToPath(new URL('./guard.mjs', import.meta.url));
const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 10_000;
/** A child that ran this long is healthy: after its next crash, it is restarted after the shortest delay. */
const HEALTHY_MS = 30_000;

/**
 * Runs child processes: prefixes their output, restarts a crashed child with growing delays, and stops them in order.
 * Each child has its own process group, so that a terminal's Ctrl-C reaches only the supervisor.
 */
export class Supervisor {
  #children = new Map();
  #stopping = false;
  #failed;

  /** @param write receives complete lines: (name, line) => void */
  constructor(write) {
    this.write = write;
    /** Resolves to the name of a child that cannot run at all. */
    this.failed = new Promise((resolve) => {
      this.#failed = resolve;
    });
  }

  /**
   * Starts a child. Resolves with its first IPC message (`ipc`), or else as soon as it runs.
   * @param graceMs time to exit after SIGTERM before it is killed
   * @param guard options of guard.mjs, for a program that does not stop by itself when the supervisor is killed
   */
  start(name, program, args, { env = process.env, ipc = false, graceMs = 5000, guard } = {}) {
    const entry = {
      name,
      program: guard ? process.execPath : program,
      args: guard ? [GUARD, JSON.stringify(guard), program, ...args] : args,
      env,
      ipc,
      guarded: guard !== undefined,
      graceMs,
      delay: FIRST_DELAY_MS,
      child: undefined,
      timer: undefined,
    };
    this.#children.set(name, entry);
    return new Promise((resolve) => {
      entry.onMessage = resolve;
      this.#spawn(entry);
      if (!ipc) entry.child.once('spawn', () => resolve());
    });
  }

  #spawn(entry) {
    const startedAt = Date.now();
    const stdio = ['ignore', 'pipe', 'pipe', ...(entry.ipc || entry.guarded ? ['ipc'] : [])];
    const child = spawn(entry.program, entry.args, { env: entry.env, stdio, detached: true });
    entry.child = child;
    entry.exited = new Promise((resolve) => child.once('close', resolve));
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => this.write(entry.name, line));
    }
    child.on('message', (message) => entry.onMessage(message));
    child.once('error', (error) => this.write(entry.name, `cannot be started: ${error.message}`));
    child.once('close', (code, signal) => {
      entry.child = undefined;
      if (this.#stopping) return;
      if (code === EXIT_CONFIG) return this.#failed(entry.name);
      if (Date.now() - startedAt > HEALTHY_MS) entry.delay = FIRST_DELAY_MS;
      this.write(entry.name, `ended (${signal ?? `exit code ${code}`}); starts again in ${entry.delay} ms`);
      entry.timer = setTimeout(() => this.#spawn(entry), entry.delay);
      entry.delay = Math.min(entry.delay * 2, LONGEST_DELAY_MS);
    });
  }

  /** Returns the process id of a running child. */
  pid(name) {
    return this.#children.get(name)?.child?.pid;
  }

  /** Sends a signal to a running child. */
  signal(name, signal) {
    this.#children.get(name)?.child?.kill(signal);
  }

  /** Kills all children at once, even while they run jobs. */
  kill() {
    this.#stopping = true;
    for (const { timer, child } of this.#children.values()) {
      clearTimeout(timer);
      killGroup(child);
    }
  }

  /** Stops the children one after another, in the order of the names. Resolves when all have exited. */
  async stop(...names) {
    this.#stopping = true;
    for (const { timer } of this.#children.values()) clearTimeout(timer);
    for (const name of names) {
      const entry = this.#children.get(name);
      if (!entry?.child) continue;
      entry.child.kill('SIGTERM');
      const kill = setTimeout(() => {
        this.write(name, `did not exit within ${entry.graceMs} ms; killed`);
        killGroup(entry.child);
      }, entry.graceMs);
      await entry.exited;
      clearTimeout(kill);
    }
  }
}

/** Kills a child and the processes that it has started. */
function killGroup(child) {
  try {
    if (child?.pid) process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}
