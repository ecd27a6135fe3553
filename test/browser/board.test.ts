import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBrowser } from '../support/browser.js';
import { ADMIN_TOKEN } from '../support/dashboard.js';
import type { Headway } from '../support/headway.js';
import { borrowHeadway } from '../support/shared-headway.js';
import { openStream } from '../support/sse.js';

describe('P10: Bull Board', () => {
  let headway: Headway;
  let browser: Browser;
  beforeAll(async () => {
    [headway, browser] = await Promise.all([borrowHeadway(), startBrowser()]);
  });
  afterAll(async () => {
    await browser.close();
    await headway.stop();
  });

  it('shows the state, progress and log of a job, with resources of the same origin only, and retries it', async () => {
    const job = await headway.client.start('steps', { count: 10, intervalMs: 5, failAt: 6 });
    const stream = await openStream(headway.client.events(job), { token: job.token });
    await stream.ended;
    const context = await browser.newContext({
      httpCredentials: { username: 'admin', password: ADMIN_TOKEN },
    });
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.on('request', (request) => {
      if (new URL(request.url()).origin !== headway.api.url) complaints.push(request.url());
    });
    await page.goto(`${headway.api.url}/admin/queues/queue/steps?status=failed`);
    await page.getByText(job.id).first().waitFor();
    await page.getByText('50%').first().waitFor();
    await page.getByText('Logs', { exact: true }).first().click();
    await page.getByText('10 steps of 5 ms').waitFor();
    // Sends the request of the board's button; the browser adds the headers about its origin.
    const retry = `fetch('/admin/queues/api/queues/steps/${job.id}/retry', { method: 'PUT' }).then((r) => r.status)`;
    expect(await page.evaluate(retry)).toBe(204);
    const again = await openStream(headway.client.events(job), {
      token: job.token,
      lastEventId: stream.lastEventId(),
    });
    await again.ended;
    expect(again.events.at(-1)).toMatchObject({ event: 'failed', data: { attempt: 2 } });
    expect(complaints).toEqual([]);
    await context.close();
  });
});
