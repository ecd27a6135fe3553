// Takes pictures of every state of a job and of its page: `npm run screenshots -- states [folder]`. Only an overview of
// small pictures is kept in docs/images.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { freePort } from './free-port.mjs';
import { ensureRedisServer } from './system.mjs';

const WIDTHS = [360, 768, 1440, 2560];
const ADMIN_TOKEN = 'the-token-of-the-screenshots';
/** After this time without a change, the page shows a job as stalled. */
const STILL_MS = 8000;
const HOUR_MS = 3_600_000;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Redis, the API and workers, each of which can be stopped and started again. */
async function createParts(root) {
  const work = mkdtempSync(join(tmpdir(), 'headway-states-'));
  const [redisPort, apiPort, redis] = await Promise.all([freePort(), freePort(), ensureRedisServer()]);
  const env = {
    ...process.env,
    REDIS_URL: `redis://127.0.0.1:${redisPort}`,
    PORT: String(apiPort),
    HOST: '127.0.0.1',
    DATA_DIR: work,
    JOBS_DIR: join(root, 'scripts/lib/picture-jobs'),
    ADMIN_TOKEN,
    TOKEN_SECRET: 'the secret of the screenshots, long enough',
    LOG_LEVEL: 'fatal',
    STALLED_INTERVAL_MS: '2000',
    LOCK_DURATION_MS: '4000',
    JOB_LOG_LINES: '10000',
  };
  const running = new Set();
  const run = (program, args, stdio) => {
    const child = spawn(program, args, { cwd: work, env, stdio });
    running.add(child);
    child.once('exit', () => running.delete(child));
    return child;
  };
  const node = async (name) => {
    const child = run(
      process.execPath,
      [join(root, 'dist', name, 'main.js')],
      ['ignore', 'inherit', 'inherit', 'ipc'],
    );
    await once(child, 'message');
    return child;
  };
  return {
    url: `http://127.0.0.1:${apiPort}`,
    redis: async () => {
      const child = run(
        redis,
        ['--port', String(redisPort), '--bind', '127.0.0.1', '--appendonly', 'yes', '--dir', work],
        'ignore',
      );
      await pause(1000);
      return child;
    },
    api: () => node('api'),
    worker: () => node('worker'),
    async end(child, signal = 'SIGTERM') {
      if (!running.has(child)) return;
      child.kill(signal);
      await once(child, 'exit');
    },
    async stop() {
      await Promise.all([...running].map((child) => this.end(child, 'SIGKILL')));
      rmSync(work, { recursive: true, force: true });
    },
  };
}

/** @param folder for the pictures @param sheet file for the overview of small pictures */
export async function takeStates({ root, browser, folder, sheet }) {
  mkdirSync(folder, { recursive: true });
  const parts = await createParts(root);
  const taken = [];
  try {
    const redis = await parts.redis();
    let api = await parts.api();
    const context = await browser.newContext({ reducedMotion: 'reduce' });
    const page = await context.newPage();
    await page.goto(parts.url);
    const post = async (path, data, headers = {}) => {
      const answer = await context.request.post(`${parts.url}${path}`, { data, headers });
      return answer.json().catch(() => ({}));
    };
    const start = async (name, turns, options) =>
      (await post('/v1/jobs', { name, data: { turns }, ...(options ? { options } : {}) })).id;
    const admin = { Authorization: `Bearer ${ADMIN_TOKEN}` };

    /** Takes one state in every width, colour scheme and text direction. @param job `undefined` for the current page */
    async function take(state, job) {
      if (job) {
        await page.goto('about:blank');
        await page.goto(`${parts.url}/#job=${job}`);
        await page.getByRole('article').waitFor();
        await pause(1000);
      }
      for (const dir of ['ltr', 'rtl']) {
        await page.evaluate(`document.documentElement.dir = '${dir}'`);
        for (const colorScheme of ['light', 'dark']) {
          await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
          for (const width of WIDTHS) {
            await page.setViewportSize({ width, height: 1000 });
            await page.evaluate("document.querySelector('article')?.scrollIntoView({ block: 'center' })");
            await pause(80);
            const file = join(folder, `${state}-${width}-${colorScheme}-${dir}.png`);
            await page.screenshot({ path: file });
          }
        }
      }
      const article = page.getByRole('article').first();
      for (const [colorScheme, dir] of [
        ['light', 'ltr'],
        ['dark', 'rtl'],
      ]) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        await page.evaluate(`document.documentElement.dir = '${dir}'`);
        await page.setViewportSize({ width: 400, height: 1000 });
        await pause(80);
        taken.push({ state, picture: await article.screenshot() });
      }
      await page.evaluate("document.documentElement.dir = 'ltr'");
      console.error(state);
    }

    const numbers = (percent) =>
      JSON.stringify({ current: percent * 10, total: 1000, message: 'ייבוא אנשים, people.csv' });
    await take('waiting-without-a-worker', await start('import-people', ['wait 1']));
    let worker = await parts.worker();
    const first = await start('one-at-a-time', [numbers(10), 'wait 600000']);
    const second = await start('one-at-a-time', ['wait 600000']);
    await take('waiting-behind-others', second);
    await take('delayed', await start('import-people', ['wait 1'], { delayMs: 72 * HOUR_MS }));
    await post('/v1/definitions/import-people/pause', {}, admin);
    await take('paused', await start('import-people', ['wait 1']));
    await post('/v1/definitions/import-people/resume', {}, admin);
    await take('active-without-numbers', await start('import-people', ['log still going', 'wait 600000']));
    const still = await start('import-people', [
      numbers(20),
      'wait 200',
      numbers(30),
      'wait 200',
      numbers(40),
      'wait 600000',
    ]);
    await pause(STILL_MS);
    await take('standing-still', still);
    const backoff = { type: 'fixed', delayMs: HOUR_MS };
    await take(
      'retrying',
      await start('import-people', [numbers(60), 'fail לא ניתן להתחבר: the host does not answer'], {
        attempts: 3,
        backoff,
      }),
    );
    const stubborn = await start('import-people', [numbers(50), 'stubborn 60000']);
    await pause(500);
    await post(`/v1/jobs/${stubborn}/cancel`);
    await take('cancelling', stubborn);
    await take('failed-before-progress', await start('import-people', ['fail the file is empty']));
    await take(
      'failed-after-progress',
      await start('import-people', [numbers(70), 'wait 200', 'fail row 701 has no name']),
    );
    const cancelled = await start('import-people', [numbers(50), 'wait 600000']);
    await pause(500);
    await post(`/v1/jobs/${cancelled}/cancel`);
    await take('cancelled', cancelled);
    const lines = Array.from({ length: 300 }, (_, i) =>
      i % 2 ? `log שורה ${i}: imported` : `log line ${i} imported`,
    );
    const completed = await start('import-people', [...lines, numbers(100)]);
    await pause(1500);
    await take('completed', completed);
    await take('gone', 'import-people..0123456789abcdef');
    // The worker of the first job is lost. By the time the next worker detects this, it already runs the second job.
    await parts.end(worker, 'SIGKILL');
    worker = await parts.worker();
    await pause(9000);
    await take('stalled', first);
    const moving = await start(
      'import-people',
      Array.from({ length: 900 }, (_, i) => [JSON.stringify({ current: i, total: 1000 }), 'wait 400']).flat(),
    );
    await page.goto('about:blank');
    await page.goto(`${parts.url}/#job=${moving}`);
    await page
      .getByText(/\bleft\b/)
      .first()
      .waitFor();
    await parts.end(redis, 'SIGKILL');
    await pause(4000);
    await take('redis-away');
    const again = await parts.redis();
    await page
      .getByText(/\bleft\b/)
      .first()
      .waitFor({ timeout: 30_000 });
    await take('redis-back');
    await parts.end(api, 'SIGKILL');
    await pause(4000);
    await take('api-away');
    api = await parts.api();
    await page
      .getByText(/\bleft\b/)
      .first()
      .waitFor({ timeout: 30_000 });
    await take('api-back');
    await context.close();
    await parts.end(again, 'SIGKILL');
    await writeSheet(taken, sheet);
  } finally {
    await parts.stop();
  }
}

/** Joins the small pictures into one, with its name above each state: light left to right, dark right to left. */
async function writeSheet(taken, file) {
  const [width, columns, gap, title] = [260, 6, 12, 20];
  const cells = await Promise.all(
    taken.map(async ({ state, picture }) => {
      const small = await sharp(picture).resize({ width }).png().toBuffer();
      return { state, small, height: (await sharp(small).metadata()).height };
    }),
  );
  const layers = [];
  let top = gap;
  for (let i = 0; i < cells.length; i += columns) {
    const row = cells.slice(i, i + columns);
    for (const [j, { state, small }] of row.entries()) {
      const left = gap + j * (width + gap);
      const name = `<svg width="${width}" height="${title}"><text x="0" y="14" font-family="sans-serif" font-size="13" fill="#333">${state}</text></svg>`;
      layers.push({ input: Buffer.from(name), left, top }, { input: small, left, top: top + title });
    }
    top += title + gap + Math.max(...row.map(({ height }) => height));
  }
  await sharp({
    create: { width: gap + columns * (width + gap), height: top, channels: 3, background: '#f0f0f0' },
  })
    .composite(layers)
    .png({ palette: true, colours: 64, effort: 9 })
    .toFile(file);
}
