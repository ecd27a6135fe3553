import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Headway, startHeadway } from '../../support/headway.js';
import { temporaryFolder } from '../../support/processes.js';
import { openStream } from '../../support/sse.js';
import { call, signer } from '../../support/tokens.js';
import { until } from '../../support/until.js';

const ADMIN = 'an-admin-of-these-tests';
const GATE = temporaryFolder();
describe("the operator's code", () => {
  let headway: Headway;
  let url: string;
  let sign: ReturnType<typeof signer>;
  beforeAll(async () => {
    headway = await startHeadway({
      workers: 0,
      env: {
        ADMIN_TOKEN: ADMIN,
        AUTHORIZE_MODULE: 'test/authorize/teams.ts',
        GATE,
        CHANNEL_RULES: '[{"channel":"public.*","subscribe":"anyone","publish":"anyone"}]',
      },
    });
    url = headway.api.url;
    sign = signer(headway.env.TOKEN_SECRET!);
  });
  afterAll(() => headway.stop());

  async function follow(channel: string, token?: string): Promise<number> {
    const stream = await openStream(`${url}/stream?channel=${channel}`, token ? { token } : {});
    stream.close();
    return stream.status;
  }
  const publish = async (channel: string, token?: string): Promise<number> =>
    (await call(`${url}/v1/channels/${channel}`, 'POST', token, { data: 1 })).status;

  it('allows by the claims of a token, and separately for each action', async () => {
    const token = await sign({ teams: ['red'] });
    expect(await follow('team.red', token)).toBe(200);
    expect(await follow('team.blue', token)).toBe(403);
    expect(await follow('team.red')).toBe(401);
    expect(await publish('team.red', token)).toBe(403);
    expect(await publish('team.red', await sign({ headway: { publish: ['team.red'] } }))).toBe(403);
    expect(await publish('team.red', ADMIN)).toBe(200);
  });

  it('can deny what a rule allows, and leaves to rules and tokens what it does not decide', async () => {
    expect(await follow('public.closed')).toBe(401);
    expect(await follow('public.open')).toBe(200);
    expect(await follow('other', await sign({ headway: { subscribe: ['other'] } }))).toBe(200);
    expect(await follow('other', await sign())).toBe(403);
  });

  it('gives other users access to a job, separately for each action', async () => {
    const job = await headway.client.start('steps', { count: 1000, intervalMs: 100 });
    const colleague = await sign({ sub: 'colleague' });
    expect((await call(`${url}${job.links.self}`, 'GET', colleague)).status).toBe(200);
    expect(await follow(`job:${job.id}`, colleague)).toBe(200);
    expect((await call(`${url}${job.links.cancel}`, 'POST', colleague)).status).toBe(404);
    expect((await call(`${url}${job.links.self}`, 'GET', await sign())).status).toBe(404);
    expect((await call(`${url}${job.links.cancel}`, 'POST', job.token)).ok).toBe(true);
  });

  it('ends a stream whose token is revoked while the hook is still running', async () => {
    const token = await sign({ sub: 'ada' });
    const opening = openStream(`${url}/stream?channel=gate`, { token });
    await until('the code is asked', () => existsSync(join(GATE, 'asked')));
    expect((await call(`${url}/v1/revocations`, 'POST', ADMIN, { token })).status).toBe(204);
    writeFileSync(join(GATE, 'open'), '');
    const stream = await opening;
    await stream.ended;
    expect(stream.events).toMatchObject([{ event: 'unauthorized', data: { reason: 'revoked' } }]);
  });

  it('denies access when it throws', async () => {
    const token = await sign({ headway: { subscribe: ['**'] } });
    expect(await follow('broken', token)).toBe(500);
    expect(await publish('slow', token)).toBe(503);
    expect(headway.api.output()).toContain('no database');
  });

  it('ends a stream when it times out, so that an EventSource reconnects', async () => {
    const token = await sign({ headway: { subscribe: ['**'] } });
    const stream = await openStream(`${url}/stream?channel=slow`, { token });
    await stream.ended;
    expect(stream.status).toBe(200);
    expect(stream.raw()).toMatch(/^retry: [3-5]\d{3}\n\n$/);
  });
});
