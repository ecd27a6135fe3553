// CPU time and memory of a process and of those that it has started. Linux only.
import { readFileSync } from 'node:fs';

const TICK_US = 10_000;
const KIB = 1024;

/** Returns the CPU time so far in µs and the resident memory in bytes, of each process: first the given one. */
export function treeOf(pid) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const rss = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0;
  return [
    { cpuUs: (Number(fields[11]) + Number(fields[12])) * TICK_US, rssBytes: Number(rss) * KIB },
    ...(children === '' ? [] : children.split(' ').flatMap((child) => treeOf(Number(child)))),
  ];
}

/** Returns the sums over the processes. */
export const sumOf = (processes) => ({
  cpuUs: processes.reduce((sum, { cpuUs }) => sum + cpuUs, 0),
  rssBytes: processes.reduce((sum, { rssBytes }) => sum + rssBytes, 0),
});
