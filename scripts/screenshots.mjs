// node scripts/screenshots.mjs: runs Headway with jobs of every kind of end and keeps pictures of its pages in docs/.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { ensureBuild } from './lib/build.mjs';
import { startService } from './lib/service.mjs';
import { ensureChromium } from './lib/system.mjs';

const ADMIN_TOKEN = 'the-token-of-the-screenshots';
/** The charts need more than the present minute to show a line. */
const LASTS_MS = Number(process.argv[2] ?? 150_000);
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const docs = join(root, 'docs');
const PICTURES = [
  ['dashboard', 1440, 1800, 'light'],
  ['dashboard-dark', 1440, 1800, 'dark'],
  ['dashboard-phone', 360, 1600, 'light'],
  ['dashboard-phone-dark', 360, 1600, 'dark'],
];

await ensureBuild(root);
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
const browser = await chromium.launch({
  executablePath: await ensureChromium(),
  args: ['--no-sandbox', '--disable-gpu'],
});

async function start(name, data, options) {
  const response = await fetch(`${service.url}/v1/jobs`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ name, data, ...(options ? { options } : {}) }),
  });
  return response.json();
}

try {
  const retried = await start(
    'steps',
    { count: 12, intervalMs: 150, failAt: 8 },
    { attempts: 2, backoff: { type: 'fixed', delayMs: 1500 } },
  );
  for (let i = 0; i < 9; i++) await start('steps', { count: 400 + 60 * i, intervalMs: 400 });
  await start('steps', { count: 5, intervalMs: 100 }, { delayMs: 3_600_000 });
  const end = Date.now() + LASTS_MS;
  for (let i = 0; Date.now() < end; i++) {
    await start('steps', { count: 3 + (i % 17), intervalMs: 60, ...(i % 9 === 4 ? { failAt: 3 } : {}) });
    if (i % 7 === 0) await start('mandelbrot', { width: 320, height: 240, iterations: 500 });
    await new Promise((resolve) => setTimeout(resolve, 250 + (i % 5) * 90));
  }
  for (const [name, width, height, colorScheme] of PICTURES) {
    const context = await browser.newContext({
      viewport: { width, height },
      colorScheme,
      httpCredentials: { username: 'admin', password: ADMIN_TOKEN },
    });
    const page = await context.newPage();
    await page.goto(`${service.url}/dashboard/sign-in`);
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByRole('progressbar').first().waitFor();
    await page.waitForTimeout(2500);
    await page.screenshot({ path: join(docs, `${name}.png`) });
    if (width === 1440) {
      await page.goto(`${service.url}/dashboard/jobs/${retried.id}`);
      await page.getByRole('heading', { name: 'Time line' }).waitFor();
      await page.getByText('Failed', { exact: true }).first().waitFor();
      await page.setViewportSize({ width: 960, height: 900 });
      await page.screenshot({ path: join(docs, `${name}-job.png`) });
    }
    await context.close();
  }
} finally {
  await browser.close();
  await service.stop();
  rmSync(work, { recursive: true, force: true });
}
