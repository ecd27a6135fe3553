// npm run soak [-- --seeds 1 --minutes 30 --seed 7]: injects faults into a running Headway and checks that every report
// arrived. Prints a line for each seed and a total; exits with 1 if there was a finding.
//   --kinds a,b         only these kinds of fault
//   --category plain    only faults after which Redis keeps what it acknowledged; `loss` for the others
//   --start-every 300   starts a job every 300 ms; --jobs 20 limits the running jobs
//   --verbose           prints every finding, and every fault when it begins
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createJiti } from 'jiti';
import { ensureBuild } from './lib/build.mjs';
import { say, tell } from './lib/say.mjs';
import { ensureRedisServer } from './lib/system.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

await tell(async () => {
  process.env.REDIS_SERVER ??= await ensureRedisServer();
  await ensureBuild(root);
  const jiti = createJiti(import.meta.url, { interopDefault: true });
  const { soak } = await jiti.import(join(root, 'test/faults/campaign/soak.ts'));
  // Exits on a signal; the processes of the campaign are then killed.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));
  process.exit((await soak(process.argv.slice(2), say)) === 0 ? 0 : 1);
});
