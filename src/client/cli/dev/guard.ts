// Runs beside `headway dev`: ends the process groups of its programs if it is killed and cannot do so itself.

const KILL_MS = 3000;
const groups = new Set<number>();

process.on('message', ({ started, ended }: { started?: number; ended?: number }) => {
  if (started !== undefined) groups.add(started);
  if (ended !== undefined) groups.delete(ended);
});
process.once('disconnect', () => {
  endGroups('SIGTERM');
  if (groups.size > 0) setTimeout(endGroups, KILL_MS, 'SIGKILL');
});

function endGroups(signal: NodeJS.Signals): void {
  for (const group of groups) {
    try {
      process.kill(-group, signal);
    } catch {
      groups.delete(group);
    }
  }
}
