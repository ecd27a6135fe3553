// npm start: installs, builds and runs everything. npm run demo also runs one job and shows it in the terminal.
// Until the packages are installed, only Node's built-in modules can be imported.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureBuild } from './lib/build.mjs';
import { ENDING_SIGNALS } from './lib/command.mjs';
import { runDemo } from './lib/demo.mjs';
import { startDevelopment } from './lib/development.mjs';
import { linePrinter } from './lib/log-lines.mjs';
import { checkNode, ensurePackages } from './lib/packages.mjs';
import { Stop, say, tell } from './lib/say.mjs';
import { startService } from './lib/service.mjs';

const SAME_SIGNAL_MS = 500;

const root = dirname(dirname(fileURLToPath(import.meta.url)));

await tell(async () => {
  checkNode();
  await ensurePackages(root);
  await ensureBuild(root);
  const { onParentGone } = await import('../dist/shared/process/parent.js');
  const { watchTerminal } = await import('../dist/shared/process/terminal.js');
  const lostTerminal = watchTerminal();
  if (process.argv.includes('--demo')) return process.exit(await runDemo(root, onParentGone));

  // From here on, a signal must stop the children before this process exits.
  let stop = async () => {};
  let stoppingSince;
  const end = async (code) => {
    if (stoppingSince) {
      // npm forwards a Ctrl-C that the terminal has also sent to this process.
      if (Date.now() - stoppingSince < SAME_SIGNAL_MS) return;
      // A second request: running jobs will be found stalled later, and start again.
      service.kill();
      process.exit(1);
    }
    stoppingSince = Date.now();
    say(
      'Stopping. Running jobs can still finish, or return to the queue. Press Ctrl-C again to exit at once.',
    );
    await stop();
    process.exit(code);
  };
  let asked = false;
  let cancel;
  const cancelled = new Promise((_resolve, reject) => {
    cancel = () => reject(new Stop('stopped before it was ready'));
  });
  cancelled.catch(() => {});
  const ask = () => {
    if (service) return void end(0);
    asked = true;
    cancel();
  };
  // A terminal that is closed sends SIGHUP too.
  const hangUp = async () => {
    if (stoppingSince || !service?.restart || (await lostTerminal())) return ask();
    say(`Replacing the processes one at a time: ${service.restart().join(', ')}.`);
  };
  for (const signal of ENDING_SIGNALS) process.on(signal, signal === 'SIGHUP' ? hangUp : ask);
  onParentGone(ask);

  const development = process.argv.includes('--dev') ? startDevelopment(root) : undefined;
  let service;
  service = await startService({
    root,
    env: process.env,
    write: linePrinter(process.stdout),
    nodeArgs: development?.nodeArgs ?? [],
    cancelled,
  }).catch(async (error) => {
    if (!asked) throw error;
    await development?.stop();
    process.exit(0);
  });
  stop = async () => {
    await development?.stop();
    await service.stop();
  };
  if (asked) return end(0);
  service.failed.then(() => end(1));
  const board = service.adminToken
    ? `Queues, for admins: ${service.url}/admin/queues (any user name; the password is in ${service.adminToken})\n`
    : '';
  say(
    `\nHeadway is ready: ${service.url}/\nThe dashboard: ${service.url}/dashboard\n${board}Ctrl-C stops it.\n`,
  );
});
