import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Browser, BrowserContext } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EVIL_NAME, startBrowser } from '../support/browser.js';
import type { StartedJob } from '../support/client.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { call, signer } from '../support/tokens.js';

const ADMIN = 'an-admin-of-these-tests';

/** A page of another site: `localhost`, while the service is at `127.0.0.1`. */
async function startEvil(): Promise<{ url: string; server: Server }> {
  const server = createServer((_req, res) =>
    res.setHeader('Content-Type', 'text/html').end('<!doctype html><title>another site</title>'),
  );
  server.listen(0, 'localhost');
  await once(server, 'listening');
  return { url: `http://localhost:${(server.address() as AddressInfo).port}/`, server };
}

describe('a page of another site, opened by a visitor of Headway', () => {
  let headway: Headway;
  let browser: Browser;
  let context: BrowserContext;
  let evil: Awaited<ReturnType<typeof startEvil>>;
  let job: StartedJob;
  let token: string;
  beforeAll(async () => {
    [headway, browser, evil] = await Promise.all([
      startHeadway({
        env: {
          ADMIN_TOKEN: ADMIN,
          CHANNEL_RULES: '[{"channel":"staff","publish":"signed-in","subscribe":"signed-in"}]',
        },
      }),
      startBrowser(),
      startEvil(),
    ]);
    context = await browser.newContext();
    token = await signer(headway.env.TOKEN_SECRET!)({ sub: 'ada' });
    await context.addCookies([
      { name: 'headway_token', value: token, url: headway.api.url, sameSite: 'Lax' },
    ]);
    const page = await context.newPage();
    await page.goto(headway.api.url);
    // From Headway's own page, the same requests work.
    job = (await page.evaluate(
      async (body) => {
        const post = (url: string, data: unknown) =>
          fetch(url, {
            method: 'POST',
            headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify(data),
          });
        const published = await post('/v1/channels/staff', { data: 'from our page' });
        if (published.status !== 200) throw new Error(`publishing: ${published.status}`);
        return (await post('/v1/jobs', body)).json();
      },
      { name: 'steps', data: { count: 100_000, intervalMs: 100 } },
    )) as StartedJob;
    expect(job.id).toMatch(/^steps\./);
    // One cookie for all jobs of the visitor: here, the user's own cookie is enough.
    expect((await context.cookies()).map(({ name }) => name)).toEqual(['headway_token']);
    await page.close();
  });
  afterAll(async () => {
    await call(`${headway.api.url}${job.links.cancel}`, 'POST', ADMIN);
    await browser.close();
    evil.server.close();
    await headway.stop();
  });

  const jobs = async (): Promise<Array<{ id: string; state: string }>> =>
    (
      (await (await call(`${headway.api.url}/v1/jobs`, 'GET', ADMIN)).json()) as {
        jobs: Array<{ id: string; state: string }>;
      }
    ).jobs;
  const published = (): Promise<number> => headway.connection.xlen('headway:{staff}:log');

  it.each(['application/json', 'text/plain'])(
    'cannot start, cancel or publish by script (%s)',
    async (type) => {
      const page = await context.newPage();
      await page.goto(evil.url);
      const statuses = await page.evaluate(
        async ({ base, type, cancel, token }) => {
          const calls: Array<[string, unknown]> = [
            ['/v1/jobs', { name: 'steps', data: { count: 1, intervalMs: 1 } }],
            [cancel, {}],
            ['/v1/channels/staff', { data: 'from another site' }],
            [`/v1/channels/staff?token=${token.slice(0, 5)}`, { data: 'from another site' }],
          ];
          const answers: string[] = [];
          for (const [path, body] of calls) {
            for (const mode of ['cors', 'no-cors'] as const) {
              await fetch(base + path, {
                method: 'POST',
                mode,
                credentials: 'include',
                headers: { 'Content-Type': type },
                body: JSON.stringify(body),
              }).then(
                (answer) => answers.push(answer.type),
                () => answers.push('refused'),
              );
            }
          }
          return answers;
        },
        { base: headway.api.url, type, cancel: job.links.cancel, token },
      );
      // The page cannot read the response, if there was one.
      expect(statuses.filter((status) => status !== 'refused' && status !== 'opaque')).toEqual([]);
      expect(await jobs()).toMatchObject([{ id: job.id, state: 'active' }]);
      expect(await published()).toBe(1);
      await page.close();
    },
  );

  it('cannot start, cancel or publish with a form that navigates to Headway', async () => {
    for (const [path, field] of [
      ['/v1/jobs', '{"name":"steps","data":{"count":1,"intervalMs":1},"x":"'],
      [job.links.cancel, ''],
      ['/v1/channels/staff', '{"data":"from another site","x":"'],
    ] as const) {
      for (const enctype of ['text/plain', 'application/x-www-form-urlencoded']) {
        const page = await context.newPage();
        await page.goto(evil.url);
        const arrived = page.waitForResponse((response) => response.url().startsWith(headway.api.url));
        await page.setContent(
          `<form method="POST" action="${headway.api.url}${path}" enctype="${enctype}"><input name='${field}' value='"}'></form>`,
        );
        await page.evaluate('document.forms[0].submit()');
        expect((await arrived).status()).toBeGreaterThanOrEqual(400);
        await page.close();
      }
    }
    expect(await jobs()).toMatchObject([{ id: job.id, state: 'active' }]);
    expect(await published()).toBe(1);
  });

  it('cannot upload a file by script, with or without cookies', async () => {
    const stored = async (): Promise<number> =>
      (await readdir(join(headway.env.DATA_DIR!, 'files'), { recursive: true }).catch(() => [])).length;
    const before = await stored();
    const uploadFrom = async (address: string): Promise<void> => {
      const page = await context.newPage();
      await page.goto(address);
      await page.evaluate(async (url) => {
        const form = new FormData();
        form.set('file', new File(['from a page'], 'a.txt'));
        for (const body of ['from a page', form]) {
          for (const credentials of ['include', 'omit'] as const) {
            // The page of another site cannot see whether the request was refused.
            await fetch(url, { method: 'POST', mode: 'no-cors', credentials, body }).catch(() => {});
          }
        }
      }, `${headway.api.url}/v1/files?name=a.txt`);
      await page.close();
    };
    await uploadFrom(evil.url);
    expect(await stored()).toBe(before);
    await uploadFrom(headway.api.url);
    expect(await stored()).toBeGreaterThan(before);
  });

  it('gets nothing if its name points to Headway (DNS rebinding)', async () => {
    const { port } = new URL(headway.api.url);
    const page = await browser.newPage();
    for (const path of ['/', '/v1/jobs', '/docs', '/healthz']) {
      const answer = await page.goto(`http://${EVIL_NAME}:${port}${path}`);
      expect([path, answer!.status()]).toEqual([path, path === '/healthz' ? 200 : 421]);
    }
    // For the browser, the health check and the jobs now have the origin of the page.
    const posted = await page.evaluate(
      async (body) => {
        const headers = { 'Content-Type': 'application/json' };
        return (await fetch('/v1/jobs', { method: 'POST', headers, body })).json();
      },
      JSON.stringify({ name: 'steps', data: { count: 1, intervalMs: 1 } }),
    );
    expect(posted).toMatchObject({
      code: 'unknown-host',
      detail: expect.stringContaining('ALLOWED_HOSTS'),
    });
    await page.close();
  });

  it("cannot read the visitor's jobs, lists or streams", async () => {
    const page = await context.newPage();
    await page.goto(evil.url);
    const seen = await page.evaluate(
      async ({ base, self, events }) => {
        const answers: string[] = [];
        for (const path of ['/v1/jobs', self]) {
          answers.push(
            await fetch(base + path, { credentials: 'include' }).then(
              (answer) => answer.text(),
              () => 'refused',
            ),
          );
        }
        for (const path of [events, '/stream?channel=staff']) {
          answers.push(
            await new Promise<string>((resolve) => {
              const source = new EventSource(base + path, { withCredentials: true });
              source.onerror = () => resolve('refused');
              source.onopen = () => resolve('open');
            }),
          );
        }
        return answers;
      },
      { base: headway.api.url, self: job.links.self, events: job.links.events },
    );
    expect(seen).toEqual(['refused', 'refused', 'refused', 'refused']);
    await page.close();
  });
});
