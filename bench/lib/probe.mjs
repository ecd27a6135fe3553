// Loaded into a measured process (node --expose-gc --import). It reports the CPU time and memory on request,
// and ends when the benchmark is gone.
process.on('disconnect', () => process.exit());
process.on('message', (message) => {
  if (message?.type !== 'probe') return;
  if (message.gc) globalThis.gc();
  const { user, system } = process.cpuUsage();
  const { heapUsed, external, rss } = process.memoryUsage();
  process.send({
    type: 'probed',
    user,
    system,
    cpuUs: user + system,
    heapBytes: heapUsed + external,
    rssBytes: rss,
    peakBytes: process.resourceUsage().maxRSS * 1024,
  });
});
