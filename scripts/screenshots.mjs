// npm run screenshots: makes all pictures of the documentation in docs/images, with the real service and a real browser.
// `npm run screenshots -- pages demo states` makes some of them:
//   pages [ms]       each page on a desk and on a phone, light and dark; jobs run for this many ms before the first (150000)
//   demo             the animation in the README
//   states [folder]  a sheet of the page in each state of a job; the full pictures go to the folder (data/states)
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { ensureBuild } from './lib/build.mjs';
import { takeMovingPicture } from './lib/moving-picture.mjs';
import { takePages } from './lib/page-pictures.mjs';
import { startService } from './lib/service.mjs';
import { takeStates } from './lib/state-pictures.mjs';
import { ensureChromium } from './lib/system.mjs';

const ADMIN_TOKEN = 'the-token-of-the-screenshots';
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const images = join(root, 'docs', 'images');
const args = process.argv.slice(2);

const GROUPS = {
  demo: (browser) =>
    withService((service) =>
      takeMovingPicture({ browser, url: service.url, file: join(images, 'demo.webp') }),
    ),
  pages: (browser, ms) =>
    withService((service) =>
      takePages({
        ...{ root, browser, service, folder: images },
        adminToken: ADMIN_TOKEN,
        lastsMs: Number(ms ?? 150_000),
      }),
    ),
  states: (browser, folder) =>
    takeStates({
      ...{ root, browser },
      folder: folder ?? join(root, 'data', 'states'),
      sheet: join(images, 'states.png'),
    }),
};

/** Runs the service for as long as `body` needs it. */
async function withService(body) {
  const work = mkdtempSync(join(tmpdir(), 'headway-screenshots-'));
  const service = await startService({
    root,
    env: {
      ...process.env,
      PORT: '0',
      DATA_DIR: join(work, 'data'),
      ADMIN_TOKEN,
      WORKER_CONCURRENCY: '12',
      SHUTDOWN_GRACE_MS: '0',
      LOG_LEVEL: 'warn',
    },
    write: (name, line) => console.error(`${name} | ${line}`),
  });
  try {
    await body(service);
  } finally {
    await service.stop();
    rmSync(work, { recursive: true, force: true });
  }
}

await ensureBuild(root);
mkdirSync(images, { recursive: true });
const browser = await chromium.launch({
  executablePath: await ensureChromium(),
  args: ['--no-sandbox', '--disable-gpu'],
});
try {
  const named = args.filter((arg) => arg in GROUPS);
  for (const group of named.length > 0 ? named : Object.keys(GROUPS)) {
    const next = args[args.indexOf(group) + 1];
    await GROUPS[group](browser, args.includes(group) && next && !(next in GROUPS) ? next : undefined);
    console.error(`${group}: done`);
  }
} finally {
  await browser.close();
}
