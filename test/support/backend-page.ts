import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { expect } from 'vitest';
import { startBrowser } from './browser.js';
import { type RunningCommand, runCommand } from './example.js';
import { type Headway, startHeadway } from './headway.js';
import { freePort } from './redis.js';
import { until } from './until.js';

const ADMIN_TOKEN = 'the-token-of-an-admin';
/** As in the documentation. */
export const SECRET = 'a secret of 32 bytes or more that both of them know';

/** Pages of an application in another language, which embed the element, and the service that they use. */
export interface BackendPages {
  headway: Headway;
  browser: Browser;
  /** The address of the application, whose pages may use the service. */
  url: string;
  /** Starts the application, with the port of `url` in place of `{port}`. */
  serve(command: string, env: Record<string, string>): Promise<void>;
  /** Starts the application once more, and a proxy that serves it and the service as one host. @returns its address */
  serveBehindProxy(command: string, env: Record<string, string>): Promise<string>;
  /** Opens a page and notes what its browser complains about. */
  open(context: BrowserContext, url: string): Promise<{ page: Page; complaints: string[] }>;
  /** Waits until the service has this number of viewers. */
  viewers(count: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startBackendPages(): Promise<BackendPages> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const [headway, browser] = await Promise.all([
    startHeadway({
      env: { ADMIN_TOKEN, JWT_SECRET: SECRET, CORS_ORIGINS: url, ANONYMOUS: 'deny', HEARTBEAT_MS: '500' },
    }),
    startBrowser(),
  ]);
  const running: RunningCommand[] = [];
  const proxies: Server[] = [];
  async function serve(command: string, env: Record<string, string>, address: string): Promise<void> {
    const started = runCommand(command.replaceAll('{port}', new URL(address).port), env);
    running.push(started);
    await until(
      () => `${address} is served: ${started.output()}`,
      async () => (await fetch(address, { redirect: 'manual' }).catch(() => undefined))?.status,
      30_000,
    );
  }
  return {
    headway,
    browser,
    url,
    serve: (command, env) => serve(command, env, url),
    async serveBehindProxy(command, env) {
      const applicationUrl = `http://127.0.0.1:${await freePort()}`;
      await serve(command, env, applicationUrl);
      const proxy = createServer((req, res) => {
        const isHeadway = /^\/(v1|client)\//.test(req.url!);
        const to = new URL(req.url!, isHeadway ? headway.api.url : applicationUrl);
        const forwarded = request(to, { method: req.method, headers: req.headers }, (answer) => {
          res.writeHead(answer.statusCode!, answer.headers);
          answer.pipe(res);
        });
        forwarded.on('error', () => res.destroy());
        res.on('close', () => forwarded.destroy());
        req.pipe(forwarded);
      });
      proxies.push(proxy);
      await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
      return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    },
    async open(context, address) {
      const page = await context.newPage();
      const complaints: string[] = [];
      page.on('pageerror', (error) => complaints.push(error.message));
      page.on('console', (message) => {
        // Browsers ask for an icon, which these applications do not have.
        if (message.type() === 'error' && !message.location().url.endsWith('/favicon.ico'))
          complaints.push(message.text());
      });
      await page.goto(address);
      return { page, complaints };
    },
    async viewers(count) {
      await until(`${count} viewers`, async () => {
        const answer = await fetch(`${headway.api.url}/metrics`, {
          headers: { Authorization: `Bearer ${ADMIN_TOKEN}` },
        });
        const numbers = Array.from(
          (await answer.text()).matchAll(/^headway_stream_viewers\{[^}]*\} (\d+)$/gm),
          ([, number]) => Number(number),
        );
        expect(numbers).not.toEqual([]);
        return numbers.reduce((sum, number) => sum + number) === count;
      });
    },
    async stop() {
      await browser.close();
      for (const proxy of proxies) proxy.close();
      await Promise.all(running.map((each) => each.stop('SIGKILL')));
      await headway.stop();
    },
  };
}

/** Waits until the bar of a page has reached a percentage. @returns the percentages above 0 that it has shown */
export async function watchBar(page: Page, end: number): Promise<number[]> {
  const bar = page.locator('job-progress').last().getByRole('progressbar');
  const seen: number[] = [];
  await until(`the bar is at ${end}`, async () => {
    const value = (await bar.count()) > 0 ? await bar.getAttribute('aria-valuenow') : null;
    if (value !== null) seen.push(Number(value));
    return (seen.at(-1) ?? 0) >= end;
  });
  return seen.filter((percent) => percent > 0);
}

/** Checks that a bar went on after `before`, to its end, and never back. */
export function expectContinued(before: number[], after: number[]): void {
  expect(after[0]).toBeGreaterThanOrEqual(before.at(-1)!);
  expect(after[0]).toBeLessThan(100);
  expect(after.at(-1)).toBe(100);
  expect(after).toEqual([...after].sort((a, b) => a - b));
}
