// Loaded into a measured process (node --expose-gc --import): answers how much CPU and memory it has used.
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
  });
});
