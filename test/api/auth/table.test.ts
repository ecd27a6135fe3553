import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StartedJob } from '../../support/client.js';
import { type Headway, startHeadway } from '../../support/headway.js';
import { call, signer } from '../../support/tokens.js';

const ADMIN = 'an-admin-of-these-tests';
const RULES = [
  { channel: 'public.*', subscribe: 'anyone', shared: true },
  { channel: 'users.{sub}', subscribe: 'signed-in' },
  { channel: 'staff', subscribe: 'signed-in', publish: 'signed-in' },
  { channel: 'analytics', subscribe: 'admin', publish: 'admin' },
];

/** The rows of a table of docs/operations/security.md, by the heading of each column. */
function table(firstColumns: string): Array<Record<string, string>> {
  const lines = readFileSync('docs/operations/security.md', 'utf8').split('\n');
  const start = lines.findIndex((line) => line.startsWith(firstColumns));
  const cells = (line: string): string[] =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
  const names = cells(lines[start]!);
  const rest = lines.slice(start + 2);
  const end = rest.findIndex((line) => !line.startsWith('|'));
  return rest.slice(0, end).map((line) => {
    const values = cells(line);
    return Object.fromEntries(names.map((name, i) => [name, values[i]!]));
  });
}

const channels = table('| action | channel | nobody');
const jobs = table('| action | nobody');

describe('the tables of docs/operations/security.md', () => {
  let headway: Headway;
  let url: string;
  let sign: ReturnType<typeof signer>;
  let visitor: string;
  beforeAll(async () => {
    headway = await startHeadway({ env: { ADMIN_TOKEN: ADMIN, CHANNEL_RULES: JSON.stringify(RULES) } });
    url = headway.api.url;
    sign = signer(headway.env.TOKEN_SECRET!);
    const first = await headway.client.post({ name: 'steps', data: { count: 1, intervalMs: 1 } });
    visitor = first.headers
      .getSetCookie()
      .find((cookie) => cookie.startsWith('headway_visitor'))!
      .split(';')[0]!;
  });
  afterAll(() => headway.stop());

  it('exist', () => {
    expect(channels.length).toBeGreaterThan(15);
    expect(jobs.length).toBeGreaterThan(10);
  });

  /** Returns the status of a call, without waiting for the body. */
  async function statusOf(method: string, path: string, headers: Record<string, string>, body?: unknown) {
    const abort = new AbortController();
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { ...headers, ...(body ? { 'Content-Type': 'application/json' } : {}) },
      body: body ? JSON.stringify(body) : null,
      signal: abort.signal,
    });
    abort.abort();
    return response.status;
  }

  const authorization = (token: string) => ({ Authorization: `Bearer ${token}` });

  describe.each(channels)('to $action $channel', ({ action, channel, ...expected }) => {
    const name = /`(.*)`/.exec(channel!)![1]!;
    const right = action === 'follow' ? 'subscribe' : 'publish';
    const named = { [right]: [name] };
    const callers: Record<string, () => Promise<Array<Record<string, string>>>> = {
      nobody: async () => [{}],
      visitor: async () => [{ Cookie: visitor }],
      'signed in': async () => [authorization(await sign()), { Cookie: `headway_token=${await sign()}` }],
      named: async () => {
        const made = await call(`${url}/v1/keys`, 'POST', ADMIN, { name: 'named', ...named });
        const { secret } = (await made.json()) as { secret: string };
        return [authorization(await sign({ sub: 'shop', headway: named })), authorization(secret)];
      },
      "tenant's admin": async () => [authorization(await sign({ tenant: 'acme', headway: { admin: true } }))],
      admin: async () => [authorization(ADMIN), authorization(await sign({ headway: { admin: true } }))],
    };
    it.each(Object.entries(expected))('%s: %s', async (who, status) => {
      const at = `/v1/channels/${encodeURIComponent(name)}`;
      for (const headers of await callers[who]!()) {
        const got =
          action === 'follow'
            ? await statusOf('GET', `/stream?channel=${encodeURIComponent(name)}`, headers)
            : await statusOf(
                action === 'publish' ? 'POST' : 'GET',
                at,
                headers,
                action === 'publish' && { data: 1 },
              );
        expect(got).toBe(Number(status));
      }
    });
  });

  describe('for a job that was started by ada of acme', () => {
    let other: StartedJob;
    let running: StartedJob;
    const start = async (): Promise<StartedJob> => {
      const started = await call(`${url}/v1/jobs`, 'POST', await sign({ tenant: 'acme' }), {
        name: 'steps',
        data: { count: 100_000, intervalMs: 100 },
      });
      return (await started.json()) as StartedJob;
    };
    const end = (job: StartedJob) => call(`${url}${job.links.cancel}`, 'POST', ADMIN);
    beforeAll(async () => {
      other = await headway.client.start('steps', { count: 1, intervalMs: 1 });
      running = await start();
    });
    afterAll(() => end(running));

    const actions: Record<string, (job: StartedJob, headers: Record<string, string>) => Promise<number>> = {
      see: (job, headers) => statusOf('GET', job.links.self, headers),
      watch: (job, headers) => statusOf('GET', job.links.events, headers),
      'watch as one of many': (job, headers) => statusOf('GET', `/v1/events?job=${job.id}`, headers),
      'watch as a channel': (job, headers) => statusOf('GET', `/stream?channel=job:${job.id}`, headers),
      'count its viewers': (job, headers) => statusOf('GET', `/v1/channels/job:${job.id}`, headers),
      'read its result': (job, headers) => statusOf('GET', job.links.result, headers),
      retry: (job, headers) => statusOf('POST', `${job.links.self}/retry`, headers),
      cancel: (job, headers) => statusOf('POST', job.links.cancel, headers),
      'pause its kind': (_job, headers) => statusOf('POST', '/v1/definitions/checksum/pause', headers),
      'make an API key': (_job, headers) => statusOf('POST', '/v1/keys', headers, { name: 'x' }),
      'revoke a token': (_job, headers) => statusOf('POST', '/v1/revocations', headers, { jti: 'x' }),
    };
    const callers: Record<string, (job: StartedJob) => Promise<Record<string, string>>> = {
      nobody: async () => ({}),
      'a visitor': async () => ({ Cookie: visitor }),
      'its starter': async () => authorization(await sign({ tenant: 'acme' })),
      'its token': async (job) => authorization(job.token),
      "another job's token": async () => authorization(other.token),
      'another user of the tenant': async () => authorization(await sign({ sub: 'bob', tenant: 'acme' })),
      'ada of no tenant': async () => authorization(await sign()),
      "the tenant's admin": async () =>
        authorization(await sign({ sub: 'boss', tenant: 'acme', headway: { admin: true } })),
      "another tenant's admin": async () =>
        authorization(await sign({ sub: 'boss', tenant: 'other', headway: { admin: true } })),
      admin: async () => authorization(ADMIN),
    };
    const cells = jobs.flatMap(({ action, ...expected }) =>
      Object.entries(expected).map(([who, status]) => [action!, who, Number(status)] as const),
    );

    it.each(cells)('to %s: %s %i', async (action, who, status) => {
      // The job must be in the same state each time, running or about to. Only cancelling changes it.
      const job = action === 'cancel' ? await start() : running;
      try {
        const got = await actions[action]!(job, await callers[who]!(job));
        // A job that has not started is cancelled at once.
        expect(action === 'cancel' && got === 200 ? 202 : got).toBe(status);
      } finally {
        if (job !== running) await end(job);
      }
    });
  });
});
