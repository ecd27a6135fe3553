// The pictures of all pages: on a desk and on a phone, light and dark.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';

const DEVICES = [
  ['', 'light', 'desk'],
  ['-dark', 'dark', 'desk'],
  ['-phone', 'light', 'phone'],
  ['-phone-dark', 'dark', 'phone'],
];

/**
 * Takes the pictures of every page of a running service.
 * @param folder where the pictures go
 * @param lastsMs how long jobs run before the first picture: the charts need more than the current minute to show a line
 */
export async function takePages({ root, browser, service, adminToken, folder, lastsMs }) {
  async function start(name, data, options) {
    const response = await fetch(`${service.url}/v1/jobs`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ name, data, ...(options ? { options } : {}) }),
    });
    return response.json();
  }

  /** Takes the four pictures of a page: `<name>.png`, `-dark`, `-phone`, `-phone-dark`. */
  async function take(page, name, sizes, ready = async () => {}) {
    for (const [suffix, colorScheme, device] of DEVICES) {
      const [width, height] = sizes[device];
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.setViewportSize({ width, height });
      await ready();
      // A frame with the new colours and size; charts are drawn after it.
      await page.waitForTimeout(400);
      await sharp(await page.screenshot())
        .png({ palette: true, quality: 92, effort: 9 })
        .toFile(join(folder, `${name}${suffix}.png`));
    }
  }

  /** The page of a visitor with running, failed and completed jobs. */
  async function takePage() {
    const context = await browser.newContext();
    const page = await context.newPage();
    const upload = async (name, content) =>
      (await context.request.post(`${service.url}/v1/files?name=${name}`, { data: content })).json();
    const begin = async (name, data, title) =>
      (
        await context.request.post(`${service.url}/v1/jobs`, {
          data: { name, data, ...(title ? { options: { title } } : {}) },
        })
      ).json();
    const rows = Array.from(
      { length: 1_500_000 },
      (_, i) => `${i},person ${i},${i % 997 === 7 ? 'x' : i % 90}`,
    );
    const { id } = await upload('people.csv', Buffer.from(`id,name,age\n${rows.join('\n')}\n`));
    const short = await upload('names.csv', Buffer.from('id,name\n1,Ada\n2,Grace\n'));
    for (const [name, data, title] of [
      ['checksum', { file: short.id }, 'names.csv'],
      ['csv-import', { file: short.id }, 'names.csv'],
      ['steps', { count: 8, intervalMs: 20, failAt: 6 }],
    ])
      await begin(name, data, title);
    const ended = async () => {
      const answer = await context.request.get(`${service.url}/v1/jobs?state=completed&state=failed`);
      return (await answer.json()).jobs.length;
    };
    while ((await ended()) < 3) await page.waitForTimeout(200);
    await begin('mandelbrot', { width: 960, height: 480, iterations: 150_000, tile: 60 });
    await begin('csv-import', { file: id }, 'people.csv');
    await page.goto(`${service.url}/`);
    await page.getByRole('radio', { name: /^csv-import/ }).check();
    const far = page.getByRole('article').first();
    await far
      .getByText(/\bleft\b/)
      .first()
      .waitFor({ timeout: 120_000 });
    await page.getByRole('img', { name: /[2-9]\d ?%/ }).waitFor({ timeout: 120_000 });
    await take(page, 'page', { desk: [1280, 1480], phone: [360, 1400] });
    await context.close();
  }

  /** The dashboard, and its page of a job that failed in its second attempt. */
  async function takeDashboard(failed) {
    const context = await browser.newContext({
      httpCredentials: { username: 'admin', password: adminToken },
    });
    const page = await context.newPage();
    await page.goto(`${service.url}/dashboard/sign-in`);
    await page.getByRole('progressbar').first().waitFor();
    await page.waitForTimeout(2500);
    await take(page, 'dashboard', { desk: [1440, 1800], phone: [360, 1600] });
    await page.goto(`${service.url}/dashboard/jobs/${failed.id}`);
    await page.getByRole('alert').first().waitFor();
    await take(page, 'dashboard-job', { desk: [960, 1240], phone: [360, 1480] });
    await context.close();
  }

  /** The API reference, at the operation that starts a job. */
  async function takeReference() {
    const page = await browser.newPage();
    const sizes = { desk: [1280, 900], phone: [360, 740] };
    await take(page, 'reference', sizes, async () => {
      // The page chooses its colours when it is loaded.
      await page.goto('about:blank');
      await page.goto(`${service.url}/docs#?route=post-/v1/jobs`);
      await page.getByText('POST').first().waitFor({ state: 'attached' });
      await page.waitForLoadState('networkidle');
    });
    await page.context().close();
  }

  /** A page on another site that has only the element. */
  async function takeElement() {
    const jobs = [
      { label: 'Import of people.csv', style: '', job: await start('steps', { count: 400, intervalMs: 60 }) },
      {
        label: 'With another color and height',
        style: '--job-progress-color: mediumpurple; --job-progress-height: 1.25rem',
        job: await start('steps', { count: 250, intervalMs: 60 }),
      },
      { label: 'Done', style: '', job: await start('steps', { count: 3, intervalMs: 10 }) },
      { label: 'Failed', style: '', job: await start('steps', { count: 10, intervalMs: 10, failAt: 8 }) },
    ];
    const page = await browser.newPage();
    // As a web server next to the service would send it.
    await page.route('**/client/**', (route) => {
      const file = join(root, 'dist', new URL(route.request().url()).pathname);
      return route.fulfill({ body: readFileSync(file), contentType: 'text/javascript' });
    });
    await page.route('**/shop', (route) => route.fulfill({ body: ELEMENTS(jobs), contentType: 'text/html' }));
    await page.goto(`${service.url}/shop`);
    await page
      .getByText(/failed at step 8/i)
      .first()
      .waitFor();
    await page
      .getByText(/^(2\d|3\d) %$/)
      .first()
      .waitFor();
    await take(page, 'element', { desk: [800, 560], phone: [360, 560] });
    await page.context().close();
  }

  const retried = await start(
    'steps',
    { count: 12, intervalMs: 150, failAt: 8 },
    {
      ...{ attempts: 2, backoff: { type: 'fixed', delayMs: 1500 } },
      ...{ title: 'Report of May', tags: ['reports'], metadata: { region: 'North' } },
    },
  );
  const titles = ['Ada', 'Grace', 'Linus', 'Barbara'].map((name) => `Mails to ${name}`);
  for (let i = 0; i < 9; i++) {
    const options = titles[i] ? { title: titles[i] } : undefined;
    await start('steps', { count: 400 + 60 * i, intervalMs: 400 }, options);
  }
  await start('steps', { count: 5, intervalMs: 100 }, { delayMs: 3_600_000 });
  const end = Date.now() + lastsMs;
  for (let i = 0; Date.now() < end; i++) {
    await start('steps', { count: 3 + (i % 17), intervalMs: 60, ...(i % 9 === 4 ? { failAt: 3 } : {}) });
    if (i % 7 === 0) await start('mandelbrot', { width: 320, height: 240, iterations: 500 });
    await new Promise((resolve) => setTimeout(resolve, 250 + (i % 5) * 90));
  }
  await takeDashboard(retried);
  await takePage();
  await takeReference();
  await takeElement();
}

const ELEMENTS = (jobs) => `<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"><title>A shop</title>
<style>
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 2rem auto; padding: 0 1rem; }
  p { margin: 1.5rem 0 0.25rem; font-weight: 600; }
</style>
<script type="module" src="/client/element/index.js"></script></head><body><main><h1>A page of your own</h1>
${jobs.map(({ label, style, job }) => `<p>${label}</p><job-progress label="${label}" style="${style}" src="${job.links.events}" token="${job.token}"></job-progress>`).join('\n')}
</main></body></html>`;
