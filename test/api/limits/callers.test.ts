import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StartedJob } from '../../support/client.js';
import { ADMIN_TOKEN } from '../../support/dashboard.js';
import { type Headway, startHeadway } from '../../support/headway.js';
import { startMonitor } from '../../support/monitor.js';
import { startApi, type TestProcess } from '../../support/processes.js';
import { signer } from '../../support/tokens.js';
import { until } from '../../support/until.js';

const SECRET = 'a secret for tests that is long enough';
const LIMITS = { requests: 30, jobs: 4, userJobs: 6, schedules: 2, signIns: 5, badTokens: 6 };

let headway: Headway;
let second: TestProcess;
let nextAddress = 1;
beforeAll(async () => {
  headway = await startHeadway({
    env: {
      ADMIN_TOKEN,
      LIMIT_REQUESTS_ANONYMOUS: String(LIMITS.requests),
      LIMIT_JOBS_ANONYMOUS: String(LIMITS.jobs),
      LIMIT_JOBS_USER: String(LIMITS.userJobs),
      LIMIT_ACTIVE_JOBS_USER: '2',
      LIMIT_SCHEDULES_ANONYMOUS: String(LIMITS.schedules),
      LIMIT_SIGN_INS: String(LIMITS.signIns),
      LIMIT_BAD_TOKENS: String(LIMITS.badTokens),
    },
  });
  second = await startApi(headway.env);
});
afterAll(async () => {
  await second.kill();
  await headway.stop();
});

interface Caller {
  /** The address that the proxy reports. */
  from: string;
  headers?: Record<string, string>;
  token?: string;
  /** Defaults to the first API process. */
  api?: TestProcess;
}

/** A caller with an address that no other test uses. */
const caller = (): Caller => ({ from: `203.0.113.${nextAddress++}` });

function send(by: Caller, method: string, path: string, body?: unknown): Promise<Response> {
  return fetch(`${(by.api ?? headway.api).url}${path}`, {
    method,
    redirect: 'manual',
    headers: {
      'X-Forwarded-For': by.from,
      ...(by.token === undefined ? {} : { Authorization: `Bearer ${by.token}` }),
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...by.headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

const LATER = { name: 'steps', data: { count: 1, intervalMs: 1 }, options: { delayMs: 3_600_000 } };
const LONG = { name: 'steps', data: { count: 1000, intervalMs: 1000 } };
const start = (by: Caller, body: object = LATER, headers = {}): Promise<Response> =>
  send({ ...by, headers: { ...by.headers, ...headers } }, 'POST', '/v1/jobs', body);
const statuses = (responses: Response[]): number[] => responses.map(({ status }) => status).sort();

/** Checks a refusal, with its headers. */
async function expectRefused(response: Response, limit: string, max: number, code: string): Promise<void> {
  const problem = (await response.json()) as { retryAfterMs: number };
  expect(problem).toMatchObject({ status: 429, code, limit, max });
  const seconds = Number(response.headers.get('retry-after'));
  expect(seconds).toBe(Math.max(1, Math.ceil(problem.retryAfterMs / 1000)));
  expect(response.headers.get('ratelimit')).toContain(`"${limit}";r=0;t=${seconds}`);
  expect(response.headers.get('ratelimit-policy')).toContain(`"${limit}";q=${max}`);
}

describe('requests', () => {
  it('count for an address in all processes, whatever the cookie, and tell what remains', async () => {
    const by = caller();
    const begun = performance.now();
    const first = await send(by, 'GET', '/v1/definitions');
    expect(first.headers.get('ratelimit-policy')).toBe(`"requests";q=${LIMITS.requests};w=60`);
    expect(first.headers.get('ratelimit')).toMatch(/^"requests";r=29;t=[12]$/);
    const rest = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        send(
          {
            ...by,
            api: i % 2 ? second : headway.api,
            headers: { Cookie: `headway_visitor=${`${i}`.padEnd(27, 'x')}` },
          },
          'GET',
          '/v1/jobs',
        ),
      ),
    );
    const refused = rest.filter(({ status }) => status === 429);
    // A unit comes back every two seconds.
    const cameBack = Math.ceil((performance.now() - begun) / 2000);
    expect(refused.length).toBeGreaterThanOrEqual(11 - cameBack);
    expect(refused.length).toBeLessThanOrEqual(11);
    await expectRefused(refused[0]!, 'requests', LIMITS.requests, 'rate-limited');
    for (const path of ['/healthz', '/', '/docs', '/client/index.js', '/openapi.json']) {
      expect((await send(by, 'GET', path)).status, path).toBe(200);
    }
    // A stream is not a request: an EventSource would not come back after a 429.
    const stream = await send(by, 'GET', '/v1/events?jobs=mine');
    expect(stream.status).not.toBe(429);
    await stream.body?.cancel();
  });

  it('for streams that fail count apart, so that jobs cannot be guessed without a limit', async () => {
    const by = caller();
    const guess = (path = '/v1/jobs/steps_none/events') => send(by, 'GET', path);
    const found = new Set<number>();
    await until('too many have failed', async () => {
      const answers = await Promise.all(Array.from({ length: LIMITS.requests }, () => guess()));
      for (const { status } of answers) found.add(status);
      return found.has(429);
    });
    expect(found).toEqual(new Set([404, 429]));
    for (const path of [
      '/v1/jobs/steps_none/events',
      '/stream?channel=none',
      '/Stream/?channel=none',
      '/V1/Jobs/none/Events/',
      '/v1/events//',
    ]) {
      // A unit comes back every two seconds. A path with units of its own would have all of them.
      let passed = 0;
      const refused = await until(`${path} is refused`, async () => {
        const answer = await guess(path);
        if (answer.status === 429) return answer;
        passed++;
        return undefined;
      });
      await expectRefused(refused, 'requests', LIMITS.requests, 'rate-limited');
      expect(passed, path).toBeLessThan(LIMITS.requests / 2);
    }
    // This is no stream.
    const other = await guess('/v1/schedules/events');
    expect([other.status, other.headers.get('ratelimit')]).toEqual([404, expect.stringContaining('r=29;')]);
  });

  it('for pages and their files count for the address, apart from the others, without tripping a visitor', async () => {
    const by = caller();
    const html = await (await send(by, 'GET', '/')).text();
    const files = Array.from(html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g), ([, file]) => file!);
    expect(files.length).toBeGreaterThan(3);
    // A browser keeps the files, but a visitor may use several browsers.
    for (let i = 0; i < 15; i++) {
      const loaded = await Promise.all(['/', ...files].map((path) => send(by, 'GET', path)));
      expect(new Set(statuses(loaded))).toEqual(new Set([200]));
      expect(loaded.at(-1)!.headers.get('cache-control')).toContain('immutable');
    }
    const paths = ['/', '/docs', '/dashboard', '/openapi.json', '/asyncapi.json', '/none', '/none.js'];
    const refused = await until('too many were requested', async () => {
      const answers = await Promise.all(paths.map((path) => send(by, 'GET', path)));
      return answers.every(({ status }) => status === 429) ? answers : undefined;
    });
    await expectRefused(refused[0]!, 'requests', LIMITS.requests, 'rate-limited');
    const probes = await Promise.all(Array.from({ length: 50 }, () => send(by, 'GET', '/healthz')));
    expect(new Set(statuses(probes))).toEqual(new Set([200]));
    expect((await send(by, 'GET', '/v1/definitions')).headers.get('ratelimit')).toContain('r=29;');
    expect((await send(caller(), 'GET', '/docs')).status).toBe(200);
    // The metrics are for admins, who are not limited.
    const scrape = (token: string) => send({ ...by, token }, 'GET', '/metrics');
    expect([(await scrape(ADMIN_TOKEN)).status, (await send(by, 'GET', '/metrics')).status]).toEqual([
      200, 401,
    ]);
  });

  it('do not count for an admin, for this machine, and for others', async () => {
    const network = '2001:db8:7:7';
    const flood = await Promise.all(
      Array.from({ length: 35 }, (_, i) => send({ from: `${network}::${i + 1}` }, 'GET', '/v1/definitions')),
    );
    expect(flood.some(({ status }) => status === 429)).toBe(true);
    const other = { from: '2001:db8:7:8::1' };
    expect((await send(other, 'GET', '/v1/definitions')).status).toBe(200);
    const admin = { from: `${network}::1`, token: ADMIN_TOKEN };
    const answers = [
      ...(await Promise.all(Array.from({ length: 35 }, () => send(admin, 'GET', '/v1/keys')))),
      ...(await Promise.all(Array.from({ length: 35 }, () => fetch(`${headway.api.url}/v1/definitions`)))),
    ];
    expect(new Set(statuses(answers))).toEqual(new Set([200]));
  });

  it('count for an API key with limits of its own', async () => {
    const admin = { from: '127.0.0.1', token: ADMIN_TOKEN };
    const made = await send(admin, 'POST', '/v1/keys', { name: 'ci', limits: { requests: 3, jobs: 1 } });
    const { secret } = (await made.json()) as { secret: string };
    const key = { ...caller(), token: secret };
    const answers = [await start(key), await start(key), await start(key), await start(key)];
    expect(answers.map(({ status }) => status)).toEqual([202, 429, 429, 429]);
    await expectRefused(answers[1]!, 'jobs', 1, 'quota-exceeded');
    await expectRefused(answers[3]!, 'requests', 3, 'rate-limited');
    // A refused caller is neither counted nor verified again.
    const monitor = await startMonitor(headway.redis.port);
    const flood = await Promise.all(Array.from({ length: 50 }, () => send(key, 'GET', '/v1/jobs')));
    expect(new Set(statuses(flood))).toEqual(new Set([429]));
    expect((await send(caller(), 'GET', '/v1/jobs')).status).toBe(200);
    // The commands that a script calls are monitored too.
    const isOurs = ([command = '', ...words]: string[]) =>
      /^(eval|evalsha|hget|mget)$/i.test(command) && words.some((word) => /\{(limits|auth)\}/.test(word));
    await until('the last request is monitored', () => monitor.commands.some(isOurs));
    // That of the last request, and perhaps one of the process itself, which shares its counts once a second.
    expect(monitor.commands.filter(isOurs).length).toBeLessThan(5);
    monitor.close();
    const wrong = await send(admin, 'POST', '/v1/keys', { name: 'ci', limits: { speed: 3 } });
    expect(wrong.status).toBe(400);
  });
});

describe('jobs', () => {
  it('count for an address until they have ended, however they were started', async () => {
    const by = caller();
    const all = await Promise.all(
      Array.from({ length: 8 }, (_, i) => start({ ...by, api: i % 2 ? second : headway.api })),
    );
    expect(statuses(all)).toEqual([202, 202, 202, 202, 429, 429, 429, 429]);
    await expectRefused(all.find(({ status }) => status === 429)!, 'jobs', LIMITS.jobs, 'quota-exceeded');
    const jobs = (await Promise.all(
      all.filter(({ status }) => status === 202).map((response) => response.json()),
    )) as StartedJob[];
    const cancel = (job: StartedJob) => send({ ...by, token: job.token }, 'POST', job.links.cancel);
    await Promise.all(jobs.slice(0, 2).map(cancel));
    const batch = (mode: string, count: number) =>
      send(by, 'POST', '/v1/jobs:batch', { mode, jobs: Array(count).fill(LATER) });
    await expectRefused(await batch('all-or-nothing', 3), 'jobs', LIMITS.jobs, 'quota-exceeded');
    const codes = async (response: Response) =>
      ((await response.json()) as { jobs: Array<{ error?: { code: string } }> }).jobs.map(
        ({ error }) => error?.code,
      );
    const some = await batch('per-item', 3);
    expect([some.status, some.headers.get('retry-after')]).toEqual([202, null]);
    expect(await codes(some)).toEqual([undefined, undefined, 'quota-exceeded']);
    // If no job of a batch is accepted, the response says when to come back.
    const none = await send(by, 'POST', '/v1/jobs:batch', { mode: 'per-item', jobs: [{}, LATER, LATER] });
    expect([none.status, none.headers.get('retry-after')]).toEqual([202, '5']);
    expect(none.headers.get('ratelimit')).toContain('"jobs";r=0;t=5');
    expect(await codes(none)).toEqual(['invalid-request', 'quota-exceeded', 'quota-exceeded']);
    const retry = () => send({ ...by, token: jobs[0]!.token }, 'POST', `${jobs[0]!.links.self}/retry`);
    expect((await retry()).status).toBe(429);
    await cancel(jobs[2]!);
    expect((await retry()).status).toBe(202);
    expect((await start(by)).status).toBe(429);
  });

  it('count once if they are repeated or duplicates', async () => {
    const by = caller();
    const key = { 'Idempotency-Key': 'a-key-that-is-long-enough' };
    const same = { ...LATER, options: { ...LATER.options, deduplicationKey: 'another-long-key-of-mine' } };
    const first = (await (await start(by, LATER, key)).json()) as StartedJob;
    const original = (await (await start(by, same)).json()) as StartedJob;
    expect(statuses([await start(by), await start(by), await start(by)])).toEqual([202, 202, 429]);
    const repeated = await Promise.all([start(by, LATER, key), start(by, same)]);
    expect(statuses(repeated)).toEqual([202, 202]);
    const [again, duplicate] = (await Promise.all(repeated.map((each) => each.json()))) as StartedJob[];
    expect([again!.id, duplicate!.id]).toEqual([first.id, original.id]);
    // A request that was refused may be sent again with the same key.
    const later = { 'Idempotency-Key': 'a-later-key-that-is-long' };
    expect((await start(by, LATER, later)).status).toBe(429);
    await send({ ...by, token: first.token }, 'POST', first.links.cancel);
    expect((await start(by, LATER, later)).status).toBe(202);
  });

  it('count for a user, from every address, with a limit on active ones', async () => {
    const token = await signer(SECRET)({ sub: 'limited' });
    const user = () => ({ ...caller(), token });
    const batch = await send(user(), 'POST', '/v1/jobs:batch', { jobs: Array(3).fill(LONG) });
    expect(batch.status).toBe(202);
    const { jobs } = (await batch.json()) as { jobs: StartedJob[] };
    // Jobs that were accepted are not held back, even if more are active then than the limit.
    await until('all three are active', async () => {
      const list = await send(user(), 'GET', '/v1/jobs?state=active');
      return ((await list.json()) as { jobs: unknown[] }).jobs.length === 3;
    });
    let response: Response | undefined = await start(user());
    await expectRefused(response, 'active-jobs', 2, 'quota-exceeded');
    for (const { links } of jobs.slice(1)) await send(user(), 'POST', links.cancel);
    const admitted: number[] = [];
    await until('the limit on unfinished jobs is reached', async () => {
      response = await start({ ...user(), api: admitted.length % 2 ? second : headway.api });
      if (response.status === 202) admitted.push(response.status);
      const problem = (await response.clone().json()) as { limit?: string };
      return problem.limit === 'jobs';
    });
    await expectRefused(response!, 'jobs', LIMITS.userJobs, 'quota-exceeded');
    const list = await send(user(), 'GET', '/v1/jobs?limit=100&state=delayed&state=active&state=waiting');
    expect(((await list.json()) as { jobs: unknown[] }).jobs).toHaveLength(LIMITS.userJobs);
  });
});

describe('schedules', () => {
  const every = (everyMs: number) => ({ name: 'steps', data: { count: 1, intervalMs: 1 }, everyMs });

  it('count for an address, and leave time between their runs', async () => {
    const by = caller();
    const create = (body: object, api = headway.api) => send({ ...by, api }, 'POST', '/v1/schedules', body);
    for (const often of [
      every(1000),
      { name: 'steps', data: { count: 1, intervalMs: 1 }, cron: '0,30 0 3 * * *' },
    ]) {
      const refused = await create(often);
      expect(refused.status).toBe(400);
      expect(await refused.text()).toContain('60000 ms');
    }
    const made = await Promise.all([headway.api, second, second].map((api) => create(every(60_000), api)));
    expect(statuses(made)).toEqual([201, 201, 429]);
    await expectRefused(made.find(({ status }) => status === 429)!, 'schedules', 2, 'quota-exceeded');
    const { links } = (await made.find(({ status }) => status === 201)!.json()) as {
      links: { self: string };
    };
    const mine = made
      .find(({ status }) => status === 201)!
      .headers.getSetCookie()[0]!
      .split(';')[0]!;
    const owner = { ...by, headers: { Cookie: mine } };
    expect((await send(owner, 'PATCH', links.self, { everyMs: 2000 })).status).toBe(400);
    expect((await send(owner, 'PATCH', links.self, { everyMs: 120_000 })).status).toBe(200);
    expect((await send(owner, 'DELETE', links.self)).status).toBe(204);
    expect((await create(every(60_000))).status).toBe(201);
  });
});

describe('sign-ins', () => {
  const basic = (password: string) => ({ Authorization: `Basic ${btoa(`admin:${password}`)}` });

  it('fail slowly, then not at all, for the address only and in all processes', async () => {
    const by = caller();
    const wrong = (i: number): Promise<Response> =>
      i % 2
        ? send({ ...by, token: `wrong-admin-token-${i}` }, 'GET', '/v1/keys')
        : send({ ...by, headers: basic(`wrong-password-${i}`) }, 'GET', '/dashboard/sign-in');
    const tried = await Promise.all(Array.from({ length: 12 }, (_, i) => wrong(i)));
    expect(tried.filter(({ status }) => status === 401)).toHaveLength(LIMITS.signIns);
    const refused = tried.filter(({ status }) => status === 429);
    expect(refused).toHaveLength(12 - LIMITS.signIns);
    await expectRefused(refused[0]!, 'sign-ins', LIMITS.signIns, 'rate-limited');
    const elsewhere = { ...by, api: second };
    expect((await send({ ...elsewhere, token: 'one-more-wrong-token' }, 'GET', '/v1/keys')).status).toBe(429);
    // The answer to the right token does not reveal it here, and does from another address.
    for (const api of [headway.api, second]) {
      expect((await send({ ...by, api, token: ADMIN_TOKEN }, 'GET', '/v1/keys')).status).toBe(429);
    }
    expect((await send({ ...caller(), token: ADMIN_TOKEN }, 'GET', '/v1/keys')).status).toBe(200);
    const signedIn = await signer(SECRET)({ sub: 'boss', headway: { admin: true } });
    expect((await send({ ...by, token: signedIn }, 'GET', '/v1/keys')).status).toBe(200);
    // The password of a proxy is no sign-in.
    expect((await send({ ...by, headers: basic('of-the-proxy') }, 'GET', '/v1/definitions')).status).toBe(
      200,
    );
    expect((await send({ ...by, headers: basic('of-the-proxy') }, 'GET', '/v1/jobs')).status).toBe(200);
  });

  it('invalid tokens and API keys are refused, valid ones of the same address are not', async () => {
    const by = caller();
    const forged = await signer('another secret that is long enough')();
    const key = `hwk_${'a'.repeat(12)}_${'B'.repeat(43)}`;
    const tried: number[] = [];
    for (let i = 0; i < LIMITS.badTokens + 2; i++) {
      tried.push((await send({ ...by, token: i % 2 ? forged : key }, 'GET', '/v1/jobs')).status);
    }
    expect(tried).toEqual([...Array(LIMITS.badTokens).fill(401), 429, 429]);
    const valid = await signer(SECRET)({ sub: 'neighbour' });
    expect((await send({ ...by, token: valid }, 'GET', '/v1/jobs')).status).toBe(200);
  });
});

describe('while Redis is away', () => {
  it('pages are served, and limited by each process', async () => {
    const by = caller();
    await headway.redis.kill();
    const pages = async () =>
      statuses(await Promise.all(['/', '/docs', '/openapi.json'].map((path) => send(by, 'GET', path))));
    expect(await pages()).toEqual([200, 200, 200]);
    await until('too many were requested', async () => (await pages()).every((status) => status === 429));
    expect((await send({ ...by, api: second }, 'GET', '/')).status).toBe(200);
    await headway.redis.restart();
    await until('it is ready', async () => (await send(by, 'GET', '/readyz')).status === 200);
  });
});
