/** Does some work, and returns the CPU time that this process used meanwhile, in ms. A busy machine does not change it. */
export function cpuTimeOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
