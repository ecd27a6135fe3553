import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StartedJob } from '../../support/client.js';
import { clientOf } from '../../support/client.js';
import { ADMIN_TOKEN } from '../../support/dashboard.js';
import { block } from '../../support/documentation.js';
import type { Headway } from '../../support/headway.js';
import { startApi, type TestProcess, temporaryFolder } from '../../support/processes.js';
import { borrowHeadway } from '../../support/shared-headway.js';
import { openStream } from '../../support/sse.js';
import { bearer, signer } from '../../support/tokens.js';

const NEW_ADMIN = 'the-next-token-of-an-admin';

/** One way to be recognized: the headers to send for a job, made by one process and sent to another. */
type Credential = (job: StartedJob) => Record<string, string>;

describe('a rolling rotation of secrets', () => {
  let headway: Headway;
  /** One process in each step: with the old secret only, with the new one as the second, with the new one as the first. */
  let old: TestProcess;
  let added: TestProcess;
  let swapped: TestProcess;
  let newSecret: string;
  beforeAll(async () => {
    headway = await borrowHeadway();
    old = headway.api;
    const { TOKEN_SECRET = '', ADMIN_TOKEN: _admin, ...env } = headway.env;
    // The steps as the documentation has them. The old secret has spaces, so it can be replaced in a file only.
    const script = block('rotation').replace(/^export TOKEN_SECRET=.*$/gm, '$&\necho "$TOKEN_SECRET"');
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], {
      env: { PATH: process.env.PATH, TOKEN_SECRET },
    });
    const [add = '', swap = '', remove = ''] = stdout.split('\n');
    newSecret = remove;
    const folder = temporaryFolder();
    const fileOf = async (name: string, value: string): Promise<string> => {
      const path = join(folder, name);
      await writeFile(path, value.split(',').join('\n'));
      return path;
    };
    [added, swapped] = await Promise.all([
      startApi({
        ...env,
        TOKEN_SECRET_FILE: await fileOf('added', add),
        ADMIN_TOKEN: `${ADMIN_TOKEN},${NEW_ADMIN}`,
      }),
      startApi({
        ...env,
        TOKEN_SECRET_FILE: await fileOf('swapped', swap),
        ADMIN_TOKEN: `${NEW_ADMIN},${ADMIN_TOKEN}`,
      }),
    ]);
  });
  afterAll(async () => {
    await Promise.all([added.kill(), swapped.kill()]);
    await headway.stop();
  });

  const kidOf = (token: string): string | undefined => decodeProtectedHeader(token).kid;

  /** Signs in to the dashboard. @returns the cookie; `undefined` if there is none */
  async function signIn({ url }: TestProcess, headers: Record<string, string>): Promise<string | undefined> {
    const answer = await fetch(`${url}/dashboard/sign-in`, { headers, redirect: 'manual' });
    expect(answer.status).toBe(303);
    return answer.headers.getSetCookie()[0]?.split(';')[0];
  }
  const password = (token: string) => ({
    Authorization: `Basic ${Buffer.from(`:${token}`).toString('base64')}`,
  });

  /** Returns the name of each thing that `from` hands out and `to` does not accept. */
  async function lost(from: TestProcess, to: TestProcess): Promise<string[]> {
    const job = await clientOf(from.url).start('steps', { count: 1, intervalMs: 1 });
    const session = (await signIn(from, password(ADMIN_TOKEN)))!;
    const credentials: Record<string, Credential> = {
      'job token': ({ token }) => bearer(token),
      'admin session': () => ({ Cookie: session }),
      'admin token': () => bearer(ADMIN_TOKEN),
    };
    const refused: string[] = [];
    for (const [name, headersOf] of Object.entries(credentials)) {
      const stream = await openStream(`${to.url}${job.links.events}`, { headers: headersOf(job) });
      await stream.ended;
      if (stream.status !== 200) refused.push(name);
      else expect(stream.names().at(-1)).toBe('completed');
    }
    return refused;
  }

  it('loses nothing while the new secret is added, and nothing while the two are swapped', async () => {
    for (const [from, to] of [
      [old, added],
      [added, old],
      [added, swapped],
      [swapped, added],
    ] as const) {
      expect(await lost(from, to)).toEqual([]);
    }
  });

  it('loses what a process hands out that signs with a secret which others do not have yet', async () => {
    expect(await lost(swapped, old)).toEqual(['job token', 'admin session']);
  });

  it('signs with the first secret and names it in the token', async () => {
    const start = async ({ url }: TestProcess): Promise<string | undefined> =>
      kidOf((await clientOf(url).start('steps', { count: 0, intervalMs: 0 })).token);
    const [oldKid, addedKid, swappedKid] = await Promise.all([old, added, swapped].map(start));
    expect(oldKid).toMatch(/^[\w-]{8}$/);
    expect(addedKid).toBe(oldKid);
    expect(swappedKid).toMatch(/^[\w-]{8}$/);
    expect(swappedKid).not.toBe(oldKid);
  });

  it('accepts user tokens and admin tokens of both, and of nobody else', async () => {
    const status = async ({ url }: TestProcess, token: string): Promise<number> =>
      (await fetch(`${url}/v1/keys`, { headers: bearer(token) })).status;
    const admin = (secret: string): Promise<string> => signer(secret)({ headway: { admin: true } });
    for (const api of [added, swapped]) {
      expect(await status(api, await admin(headway.env.TOKEN_SECRET!))).toBe(200);
      expect(await status(api, await admin(newSecret))).toBe(200);
      expect(await status(api, await admin('c'.repeat(64)))).toBe(401);
      expect(await status(api, ADMIN_TOKEN)).toBe(200);
      expect(await status(api, NEW_ADMIN)).toBe(200);
      expect(await status(api, `${ADMIN_TOKEN},${NEW_ADMIN}`)).toBe(401);
    }
  });

  it('ends the sessions of an admin token that was removed, and no others', async () => {
    const statusWith = async ({ url }: TestProcess, Cookie: string): Promise<number> =>
      (await fetch(`${url}/v1/keys`, { headers: { Cookie } })).status;
    const stays = (await signIn(added, password(ADMIN_TOKEN)))!;
    const ends = (await signIn(added, password(NEW_ADMIN)))!;
    for (const api of [added, swapped]) {
      expect([await statusWith(api, stays), await statusWith(api, ends)]).toEqual([200, 200]);
    }
    // The process that has one of the two tokens is like one that was restarted without the other.
    expect([await statusWith(old, stays), await statusWith(old, ends)]).toEqual([200, 401]);
    const refused = await fetch(`${old.url}/admin/queues`, { headers: { Cookie: ends } });
    expect([refused.status, await refused.json()]).toMatchObject([401, { code: 'invalid-token' }]);
    // The stale cookie does not keep the admin from signing in again.
    expect(await signIn(old, { Cookie: ends, ...password(ADMIN_TOKEN) })).toBeTruthy();
    // A session, or another token of an admin, does not get a new session that would outlive it.
    expect(await signIn(added, { Cookie: stays })).toBeUndefined();
    const user = await signer(headway.env.TOKEN_SECRET!)({ headway: { admin: true } });
    expect(await signIn(added, bearer(user))).toBeUndefined();
    expect(await signIn(added, bearer(ADMIN_TOKEN))).toBeTruthy();
    const { headway: rights } = decodeJwt<{ headway: Record<string, unknown> }>(stays.split('=')[1]!);
    expect(rights).toEqual({ admin: true, adminToken: expect.stringMatching(/^[\w-]{43}$/) });
    expect(JSON.stringify(rights)).not.toContain(
      createHash('sha256').update(ADMIN_TOKEN).digest('base64url'),
    );
  });
});
