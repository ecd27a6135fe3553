import { Queue } from 'bullmq';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { StartedJob } from '../support/client.js';
import { ADMIN_TOKEN } from '../support/dashboard.js';
import type { Headway } from '../support/headway.js';
import { borrowHeadway } from '../support/shared-headway.js';
import { openStream } from '../support/sse.js';
import { bearer, signer } from '../support/tokens.js';
import { until } from '../support/until.js';

type View = Record<string, unknown> & { id: string; state: string; name: string; createdAt: number };
interface Page {
  jobs: View[];
  next?: string;
}
const ADMIN = bearer(ADMIN_TOKEN);
const STEPS = { count: 1, intervalMs: 0 };
const LATER = { delayMs: 600_000 };

describe('GET /v1/jobs', () => {
  let headway: Headway;
  let steps: Queue;
  beforeAll(async () => {
    headway = await borrowHeadway();
    steps = new Queue('steps', { connection: headway.connection, prefix: '{headway}' });
  });
  afterAll(async () => {
    await steps.close();
    await headway.stop();
  });

  /** A new caller for each test, who has no other jobs. */
  let ada: Record<string, string>;
  let callers = 0;
  beforeEach(async () => {
    ada = await user(`ada${++callers}`);
  });
  const user = async (name: string): Promise<Record<string, string>> =>
    bearer(await signer(headway.env.TOKEN_SECRET!)({ sub: name }));
  const get = (query = '', headers: Record<string, string> = ada): Promise<Response> =>
    fetch(`${headway.api.url}/v1/jobs${query}`, { headers });
  async function list(query = '', headers: Record<string, string> = ada): Promise<Page> {
    const response = await get(query, headers);
    expect(response.status).toBe(200);
    return (await response.json()) as Page;
  }
  const ids = async (...args: Parameters<typeof list>): Promise<string[]> =>
    (await list(...args)).jobs.map(({ id }) => id);
  async function start(options: object = {}, headers = ada, data: object = STEPS): Promise<StartedJob> {
    const response = await headway.client.post({ name: 'steps', data, options }, headers);
    expect(response.status).toBe(202);
    await nextMs();
    return (await response.json()) as StartedJob;
  }
  /** Waits for the next millisecond: the order of two jobs created in the same one is undefined. */
  const nextMs = async (): Promise<void> => {
    const now = Date.now();
    await until('the next millisecond has begun', () => Date.now() > now);
  };
  const ended = async (job: StartedJob): Promise<void> =>
    (await openStream(headway.client.events(job), { token: job.token })).ended;

  it("lists the caller's jobs in the form that GET of each returns, as soon as they are accepted", async () => {
    const jobs = [await start(), await start(LATER), await start({}, ada, { ...STEPS, failAt: 1 })];
    expect((await ids()).sort()).toEqual(jobs.map(({ id }) => id).sort());
    await Promise.all([ended(jobs[0]!), ended(jobs[2]!)]);
    const { jobs: found, next } = await list();
    expect(next).toBeUndefined();
    expect(found.map(({ createdAt }) => createdAt)).toEqual(
      found.map(({ createdAt }) => createdAt).sort((a, b) => b - a),
    );
    for (const view of found) {
      const job = jobs.find(({ id }) => id === view.id)!;
      expect(view).toEqual(await (await headway.client.get(job)).json());
    }
    expect(found.map(({ state }) => state).sort()).toEqual(['completed', 'delayed', 'failed']);
    expect((await get()).headers.get('cache-control')).toBe('no-store');
  });

  it('shows callers their own jobs, unidentified callers none, and admins all', async () => {
    const first = await headway.client.post({ name: 'steps', data: STEPS, options: LATER });
    const visitor = { Cookie: first.headers.getSetCookie()[0]!.split(';')[0]! };
    const visited = (await first.json()) as StartedJob;
    await nextMs();
    const grace = await user('grace');
    const [mine, ofGrace] = [await start(LATER), await start(LATER, grace)];
    expect(await ids()).toEqual([mine.id]);
    expect(await ids('', grace)).toEqual([ofGrace.id]);
    expect(await ids('', visitor)).toEqual([visited.id]);
    expect(await list('', {})).toEqual({ jobs: [] });
    expect(await list('', { Cookie: 'headway_visitor=somebody-else-of-27-letters' })).toEqual({ jobs: [] });
    // The token of a job does not identify the caller.
    expect(await list('', { Authorization: `Bearer ${mine.token}` })).toEqual({ jobs: [] });
    expect(await ids('?limit=3', ADMIN)).toEqual([ofGrace.id, mine.id, visited.id]);
    expect(await ids('?owner=user:grace', ADMIN)).toEqual([ofGrace.id]);
    expect(await ids('?owner=user:grace', grace)).toEqual([ofGrace.id]);
    expect(await list('?owner=user:nobody', ADMIN)).toEqual({ jobs: [] });
    expect(await ids('?owner=me', visitor)).toEqual([visited.id]);
    expect(await list('?owner=me', {})).toEqual({ jobs: [] });
    expect(await list('?owner=me', ADMIN)).toEqual({ jobs: [] });
    const ofAdmin = await start(LATER, ADMIN);
    expect(await ids('?owner=me', ADMIN)).toEqual([ofAdmin.id]);
    const others = await get('?owner=user:grace');
    expect(others.status).toBe(403);
    expect((await get('?owner=user:grace', visitor)).status).toBe(401);
  });

  it('filters by state, name, tag and time, with several values of each', async () => {
    const file = await headway.client.upload('a.txt', 'hello');
    const eu = await start({ ...LATER, tags: ['eu', 'vip'] });
    const us = await start({ ...LATER, tags: ['us'] });
    const first = await start({ priority: 3, tags: ['eu'] });
    await ended(first);
    const response = await headway.client.post(
      { name: 'checksum', data: { file: file.id }, options: LATER },
      ada,
    );
    const sum = (await response.json()) as StartedJob;
    await nextMs();
    await headway.client.cancel(us);

    expect(await ids('?state=delayed')).toEqual([sum.id, eu.id]);
    expect(await ids('?state=cancelled&state=completed')).toEqual([first.id, us.id]);
    expect(await ids('?name=checksum')).toEqual([sum.id]);
    expect(await ids('?name=checksum&name=steps&state=delayed')).toEqual([sum.id, eu.id]);
    expect(await ids('?tag=eu')).toEqual([first.id, eu.id]);
    expect(await ids('?tag=vip&tag=us')).toEqual([us.id, eu.id]);
    expect(await ids('?tag=eu&state=delayed&name=steps')).toEqual([eu.id]);
    expect(await ids('?tag=eu&name=checksum')).toEqual([]);

    const { createdAt } = (await list(`?tag=us`)).jobs[0]!;
    expect(await ids(`?from=${createdAt}&to=${createdAt + 1}`)).toContain(us.id);
    expect(await ids(`?to=${createdAt}`)).not.toContain(us.id);
    expect(await ids(`?from=${createdAt + 1}`)).not.toContain(us.id);
    const inTokyo = `${new Date(createdAt + 9 * 3_600_000).toISOString().slice(0, -1)}+09:00`;
    expect(await ids(`?from=${inTokyo}`)).toEqual(await ids(`?from=${createdAt}`));
    expect(await ids(`?from=${encodeURIComponent(inTokyo)}&tag=us`)).toEqual([us.id]);
  });

  it('returns pages that new jobs do not shift', async () => {
    const started: string[] = [];
    for (let i = 0; i < 7; i++) started.push((await start(LATER)).id);
    const first = await list('?limit=3');
    const newer = [(await start(LATER)).id, (await start(LATER)).id];
    const second = await list(`?limit=3&cursor=${first.next}`);
    const third = await list(`?limit=3&cursor=${second.next}`);
    expect(third.next).toBeUndefined();
    const seen = [first, second, third].flatMap(({ jobs }) => jobs.map(({ id }) => id));
    expect(seen.sort()).toEqual(started.sort());
    expect((await ids('?limit=2')).sort()).toEqual(newer.sort());
    // A page with exactly all jobs has no next page.
    expect(await list('?limit=9')).not.toHaveProperty('next');
  });

  it.each([
    ['?limit=0', '/limit'],
    ['?limit=201', '/limit'],
    ['?limit=many', '/limit'],
    ['?limit=1&limit=2', '/limit'],
    ['?state=done', '/state/0'],
    ['?state=failed&state=done', '/state/1'],
    ['?name=', '/name/0'],
    ['?from=yesterday', '/from'],
    ['?to=2026-11-24T10:00:00', '/to'],
    ['?cursor=nonsense', '/cursor'],
    [`?cursor=${Buffer.from('1 ../x').toString('base64url')}`, '/cursor'],
    [`?${'tag=a&'.repeat(21)}`, '/tag'],
    [`?name=steps&${Array.from({ length: 10 }, (_, i) => `tag=t${i}`).join('&')}`, '/tag'],
    ['?sort=name', ''],
    ['?states=failed', ''],
  ])('refuses %s with the reason and a pointer', async (query, pointer) => {
    const response = await get(query);
    expect(response.status).toBe(400);
    const problem = await response.json();
    expect(problem).toMatchObject({ code: 'invalid-request', errors: [{ pointer }] });
  });

  it('shows the real state after another tool has changed it', async () => {
    const [promoted, removed, kept] = [await start(LATER), await start(LATER), await start(LATER)];
    await steps.pause();
    try {
      await (await steps.getJob(promoted.id))!.promote();
      await (await steps.getJob(removed.id))!.remove();
      expect(await ids('?state=delayed')).toEqual([kept.id]);
      expect((await list()).jobs.map(({ id, state }) => [id, state])).toEqual([
        [kept.id, 'delayed'],
        [promoted.id, 'waiting'],
      ]);
      expect(await ids('?state=waiting')).toEqual([promoted.id]);
    } finally {
      await steps.resume();
    }
    const gone = await headway.client.get(removed);
    expect(gone.status).toBe(410);
    expect(await gone.json()).toMatchObject({ code: 'gone', name: 'steps', state: 'cancelled' });
  });

  it('includes the jobs that other tools and schedulers start, with the owner they name', async () => {
    const plain = await steps.add('steps', STEPS, { delay: 600_000 });
    const owned = await steps.add('steps', STEPS, {
      jobId: 'by-hand',
      delay: 600_000,
      headway: { owner: `user:ada${callers}`, tags: ['scheduled'] },
    } as object);
    const scheduled = await steps.upsertJobScheduler(
      'hourly',
      { every: 3_600_000 },
      {
        name: 'steps',
        data: STEPS,
        opts: { headway: { owner: `user:ada${callers}` } } as object,
      },
    );
    try {
      await until('the index has them', async () => (await list()).jobs.length >= 2);
      expect(await ids('?tag=scheduled')).toEqual([`steps..${owned.id}`]);
      await until('the scheduled job is listed', async () =>
        (await ids()).includes(`steps..${scheduled!.id}`),
      );
      expect(await ids()).not.toContain(`steps..${plain.id}`);
      await until('an admin sees the other job', async () =>
        (await ids('?limit=200', ADMIN)).includes(`steps..${plain.id}`),
      );
    } finally {
      await steps.removeJobScheduler('hourly');
    }
  });

  it('no longer includes jobs that another tool removes', async () => {
    const job = await start();
    await ended(job);
    expect(await ids('?state=completed')).toEqual([job.id]);
    await steps.clean(0, 1000, 'completed');
    expect(await ids('?state=completed')).toEqual([]);
    expect(await ids()).toEqual([]);
  });
});
