import process from 'node:process';

/** Set by the scripts of package.json and the Procfile, which the shell gives the id of its own parent. */
const OPTION = '--stop-with-parent=';
const LOOK_MS = 250;

/**
 * Calls `gone` once when the program that started this process has ended, if the command line has
 * `--stop-with-parent=<its process id>`. npm and the runners of a Procfile cannot forward SIGKILL, so the processes
 * that they start have to notice. Without the option nothing is watched: under systemd, nohup or in a container it is
 * normal for a process to outlive its parent.
 */
export function onParentGone(gone: () => void, args: readonly string[] = process.argv): void {
  const option = args.find((arg) => arg.startsWith(OPTION));
  if (option === undefined) return;
  const named = Number(option.slice(OPTION.length));
  // It may have ended before we got here. A runner without a shell, or with one more, names another process, or none:
  // then our own parent counts.
  const parent = named > 0 && !exists(named) ? named : process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    gone();
  }, LOOK_MS);
  timer.unref();
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
