import process from 'node:process';

/** The scripts of package.json and the Procfile set this option to the id of the shell's parent process. */
const OPTION = '--stop-with-parent=';
const POLL_MS = 250;

/**
 * Calls `gone` once when the parent process has ended, if the command line has `--stop-with-parent=<process id>`. npm and
 * Procfile runners cannot forward SIGKILL, so their child processes have to notice it. Without the option nothing is
 * watched: under systemd, nohup or in a container it is normal for a process to outlive its parent.
 */
export function onParentGone(gone: () => void, args: readonly string[] = process.argv): void {
  const option = args.find((arg) => arg.startsWith(OPTION));
  if (option === undefined) return;
  const named = Number(option.slice(OPTION.length));
  // A named process that does not exist has already ended. If it exists, the actual parent is watched: a runner without a
  // shell, or with a second one, names another process.
  const parent = named > 0 && !exists(named) ? named : process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    gone();
  }, POLL_MS);
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
