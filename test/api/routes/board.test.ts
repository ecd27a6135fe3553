import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Headway, startHeadway } from '../../support/headway.js';
import { jobsDir } from '../../support/jobs.js';
import { openStream } from '../../support/sse.js';

const ADMIN_TOKEN = 'the-token-of-an-admin';
const basic = (password: string): string => `Basic ${Buffer.from(`anybody:${password}`).toString('base64')}`;

describe('/admin/queues', () => {
  let headway: Headway;
  let board: string;
  beforeAll(async () => {
    headway = await startHeadway({
      env: { ADMIN_TOKEN, JOBS_DIR: jobsDir('flaky') },
    });
    board = `${headway.api.url}/admin/queues`;
  });
  afterAll(() => headway.stop());

  it.each([
    ['no credentials', {}],
    ['a wrong password', { Authorization: basic('guess') }],
    ['no password', { Authorization: `Basic ${Buffer.from('admin').toString('base64')}` }],
  ])('asks the browser for a password, given %s, on every path', async (_what, headers) => {
    for (const path of ['', '/', '/queue/steps', '/api/queues', '/static/favicon.ico', '/nothing']) {
      const response = await fetch(`${board}${path}`, { headers: headers as Record<string, string> });
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toBe('Basic realm="headway", charset="UTF-8"');
      expect(response.headers.get('content-type')).toMatch('application/problem+json');
    }
  });

  it('is forbidden with a job token, and for a user who is not an admin', async () => {
    const job = await headway.client.start('steps', { count: 0, intervalMs: 0 });
    const response = await fetch(board, { headers: { Authorization: `Bearer ${job.token}` } });
    expect(response.status).toBe(401);
  });

  it.each([
    ['as the password', { Authorization: basic(ADMIN_TOKEN) }],
    ['as a bearer', { Authorization: `Bearer ${ADMIN_TOKEN}` }],
  ])('shows all queues with the admin token %s', async (_what, headers) => {
    const page = await fetch(board, { headers });
    expect(page.status).toBe(200);
    const html = await page.text();
    expect(html).toContain('<base href="/admin/queues/"');
    expect(html).not.toMatch(/(src|href)="https?:/);
    expect(page.headers.get('content-security-policy')).toBe(
      "default-src 'self';img-src 'self' data:;frame-ancestors 'none';base-uri 'self';form-action 'self';style-src 'self' 'unsafe-inline'",
    );
    expect(page.headers.get('x-powered-by')).toBeNull();
    const { queues } = (await (await fetch(`${board}/api/queues`, { headers })).json()) as {
      queues: Array<{ name: string }>;
    };
    expect(queues.map(({ name }) => name).sort()).toEqual(
      expect.arrayContaining(['checksum', 'csv-import', 'flaky', 'steps', 'webhook']),
    );
  });

  it('does not change the policy of other pages', async () => {
    const policy = (await fetch(headway.api.url)).headers.get('content-security-policy');
    expect(policy).not.toContain('unsafe-inline');
    expect(policy).toContain("base-uri 'none'");
  });

  it('retries a job for an admin, but not for a page of another site', async () => {
    const job = await headway.client.start('flaky', { failures: 1 }, { attempts: 1 });
    const stream = await openStream(headway.client.events(job), { token: job.token });
    await stream.ended;
    const retry = (headers: Record<string, string>): Promise<Response> =>
      fetch(`${board}/api/queues/flaky/${job.id}/retry`, {
        method: 'PUT',
        headers: { Authorization: basic(ADMIN_TOKEN), ...headers },
      });
    for (const headers of [
      { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://evil.example' },
      { 'Sec-Fetch-Site': 'same-site', Origin: 'http://127.0.0.1:1' },
      { Origin: 'https://evil.example' },
      { Origin: 'null' },
    ]) {
      const refused = await retry(headers as Record<string, string>);
      expect(refused.status).toBe(403);
      expect(await refused.json()).toMatchObject({ code: 'cross-site' });
    }
    expect(await (await headway.client.get(job)).json()).toMatchObject({ state: 'failed' });

    const response = await retry({ 'Sec-Fetch-Site': 'same-origin', Origin: headway.api.url });
    expect(response.status).toBeLessThan(300);
    const again = await openStream(headway.client.events(job), {
      token: job.token,
      lastEventId: stream.lastEventId(),
    });
    await again.ended;
    expect(again.names().at(-1)).toBe('completed');
  });

  it('is closed in production without a configured token', async () => {
    const other = await startHeadway({ workers: 0, env: { NODE_ENV: 'production' } });
    const response = await fetch(`${other.api.url}/admin/queues`, { headers: { Authorization: basic('') } });
    expect(response.status).toBe(401);
    await other.stop();
  });
});
