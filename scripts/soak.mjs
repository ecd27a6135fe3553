// npm run soak [-- --seeds 10 --minutes 5 --seed 1]: breaks a running Headway for a long time and checks that everything
// that was said arrived. Ends with a line for each seed and a total; exit code 1 when anything was found.
//   --kinds a,b         only these kinds of fault
//   --category plain    only faults after which Redis has all that it acknowledged; loss: only the others
//   --start-every 300   a new job so often, in ms; --jobs 20: at most so many at once
//   --verbose           each finding, and each fault when it happens
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
  // Ended from outside, nothing may be left running: the processes are killed on exit.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));
  process.exit((await soak(process.argv.slice(2), say)) === 0 ? 0 : 1);
});
