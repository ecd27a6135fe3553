import { readFileSync, renameSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientOf, type StartedJob } from '../support/client.js';
import { temporaryFolder } from '../support/folder.js';
import { jobsDir } from '../support/jobs.js';
import { startApi, startWorker, type TestProcess } from '../support/processes.js';
import { type Receiver, startReceiver } from '../support/receiver.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import { openStream } from '../support/sse.js';
import { bearer, call, signer } from '../support/tokens.js';
import { until } from '../support/until.js';

// biome-ignore lint/suspicious/noExplicitAny: each test knows the fields that it expects
type Line = Record<string, any>;

const SECRETS = {
  admin: 'adm"in\\of/this+service%41',
  token: 'a secret that signs the tokens of jobs',
  jwt: 'another secret that signs those of users',
  webhook: `whsec_${Buffer.from('the default secret of webhooks').toString('base64')}`,
  ownWebhook: `whsec_${Buffer.from('the secret of one single webhook').toString('base64')}`,
  redis: 'p@ss/word:of redis',
};

describe('the logs', () => {
  let redis: TestRedis;
  let receiver: Receiver;
  let api: TestProcess;
  let worker: TestProcess;
  let client: ReturnType<typeof clientOf>;
  const auditFile = join(temporaryFolder(), 'logs', 'audit.log');

  const linesIn = (text: string): Line[] =>
    text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Line]));
  const findLine = (process: TestProcess, wanted: (line: Line) => boolean): Promise<Line> =>
    until('the line is in the log', () => linesIn(whole(process.output())).find(wanted));
  /** The output up to the last line break. */
  const whole = (text: string): string => text.slice(0, text.lastIndexOf('\n') + 1);
  const audited = (wanted: (line: Line) => boolean, file = auditFile): Promise<Line> =>
    until('the act is in the audit log', () => linesIn(readFileSync(file, 'utf8')).find(wanted));

  beforeAll(async () => {
    redis = await startRedis({
      args: ['--user', 'logs', 'on', `#${await sha256(SECRETS.redis)}`, '~*', '&*', '+@all'],
    });
    receiver = await startReceiver();
    const env = {
      REDIS_URL: redis.url.replace('://', `://logs:${encodeURIComponent(SECRETS.redis)}@`),
      ADMIN_TOKEN: SECRETS.admin,
      TOKEN_SECRET: SECRETS.token,
      JWT_SECRET: SECRETS.jwt,
      WEBHOOK_SECRET: SECRETS.webhook,
      WEBHOOK_HOSTS: '127.0.0.1',
      WEBHOOK_ALLOW_PRIVATE: 'true',
      DATA_DIR: temporaryFolder(),
      JOBS_DIR: jobsDir('parent-of-two', 'kid', 'thrower'),
      LOG_LEVEL: 'trace',
      AUDIT_LOG: auditFile,
      // Guesses would be delayed, and then refused.
      LIMIT_SIGN_INS: '0',
      LIMIT_BAD_TOKENS: '0',
    };
    [api, worker] = await Promise.all([startApi(env), startWorker(env)]);
    client = clientOf(api.url);
  });
  afterAll(async () => {
    await Promise.all([api, worker].map((process) => process?.kill()));
    await receiver.stop();
    await redis.stop();
  });

  it('follow a request through the API, the worker, child jobs and the webhook', async () => {
    const response = await client.post(
      { name: 'parent-of-two', data: {}, options: { webhook: { url: receiver.url } } },
      { 'X-Request-Id': 'checkout-7:a' },
    );
    expect(response.status).toBe(202);
    expect(response.headers.get('x-request-id')).toBe('checkout-7:a');
    const job = (await response.json()) as StartedJob;
    const [{ headers }] = (await receiver.called(1)) as [Receiver['calls'][number]];
    expect(headers['x-request-id']).toBe('checkout-7:a');
    const line = await findLine(api, ({ requestId }) => requestId === 'checkout-7:a');
    expect(line).toMatchObject({
      level: 30,
      msg: 'request completed',
      method: 'POST',
      route: '/v1/jobs',
      url: '/v1/jobs',
      status: 202,
      caller: expect.stringMatching(/^visitor:/),
      address: '127.0.0.1',
      jobId: job.id,
    });
    expect(line.bytes).toBeGreaterThan(500);
    expect(line.ms).toBeLessThan(20_000);
    const attempts = await until('the attempts are in the log', () => {
      const found = linesIn(whole(worker.output())).filter(({ requestId }) => requestId === 'checkout-7:a');
      return new Set(found.map(({ job }) => job)).size === 3 ? found : undefined;
    });
    expect(new Set(attempts.map(({ job }) => job))).toEqual(new Set(['parent-of-two', 'kid', 'webhook']));
    expect(attempts.find(({ job: kind }) => kind === 'parent-of-two')).toMatchObject({
      jobId: job.id,
      attempt: 1,
    });
  });

  it('take the id of a request from the caller only if it is well-formed, and return it with errors and streams', async () => {
    const ask = async (headers: Record<string, string>): Promise<string> => {
      const response = await fetch(`${api.url}/v1/jobs/steps.none`, { headers });
      const { requestId } = (await response.json()) as { requestId: string };
      expect(response.headers.get('x-request-id')).toBe(requestId);
      return requestId;
    };
    const uuid = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[\da-f]{4}-[\da-f]{12}$/;
    const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
    expect(await ask({ 'X-Request-Id': 'a'.repeat(100) })).toBe('a'.repeat(100));
    for (const bad of ['', ' ', 'a'.repeat(101), 'a b', '"', 'a,b', '<b>', 'ä', '\u009b31m', '{}']) {
      expect(await ask({ 'X-Request-Id': bad })).toMatch(uuid);
    }
    expect(await ask({ traceparent: `00-${trace}-00f067aa0ba902b7-01` })).toBe(trace);
    for (const bad of [
      `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
      `ff-${trace}-00f067aa0ba902b7-01`,
      trace,
    ]) {
      expect(await ask({ traceparent: bad })).toMatch(uuid);
    }
    const invalid = await raw(api.url, 'GET /v1/jobs HTTP/9.9\r\n\r\n');
    expect(invalid).toMatch(/^HTTP\/1\.1 400 .*X-Request-Id: ([\da-f-]{36})\r\n.*"requestId":"\1"/s);
  });

  it('have one line for a stream, at its end, with the reason', async () => {
    const job = await client.start('steps', { count: 2, intervalMs: 1 });
    const seen = await openStream(client.events(job), {
      headers: { ...bearer(job.token), 'X-Request-Id': 'stream-1' },
    });
    await seen.ended;
    expect(seen.headers['x-request-id']).toBe('stream-1');
    const line = await findLine(
      api,
      ({ requestId, msg }) => requestId === 'stream-1' && msg === 'stream ended',
    );
    expect(line).toMatchObject({
      route: '/v1/jobs/{id}/events',
      status: 200,
      reason: 'completed',
      jobId: job.id,
      caller: `job:${job.id}`,
    });
    expect(line.bytes).toBeGreaterThan(seen.raw().length);
    expect(line.events).toBe(seen.events.length);
    const long = await client.start('steps', { count: 1, intervalMs: 600_000 });
    const left = await openStream(client.events(long), {
      headers: { ...bearer(long.token), 'X-Request-Id': 'stream-2' },
    });
    await until('the stream has begun', () => left.events.length > 0);
    left.close();
    const ofLeft = ({ requestId, msg }: Line): boolean => requestId === 'stream-2' && msg !== 'stream opened';
    expect(await findLine(api, ofLeft)).toMatchObject({ msg: 'stream ended', reason: 'disconnected' });
    // Several jobs over one connection, a viewer that gets a reset, and streams that are not of channels.
    for (const [requestId, path] of [
      ['stream-3', `/v1/events?job=${job.id}&job=${long.id}&token=${job.token}&token=${long.token}`],
      ['stream-4', `${long.links.events}?lastEventId=another-1&token=${long.token}`],
      ['stream-5', `/v1/events?queue=steps`],
      ['stream-6', `/v1/dashboard/events`],
    ]) {
      const stream = await openStream(`${api.url}${path}`, {
        headers: { 'X-Request-Id': requestId!, ...(path!.includes('token=') ? {} : bearer(SECRETS.admin)) },
      });
      await until('it has begun', () => stream.events.length > 1);
      stream.close();
      const ended = await findLine(
        api,
        ({ requestId: id, msg }) => id === requestId && msg === 'stream ended',
      );
      expect(ended.events, path).toBeGreaterThanOrEqual(stream.events.length);
      // It may have sent one more of each kind before it noticed that the viewer has left.
      expect(ended.events, path).toBeLessThanOrEqual(stream.events.length + 3);
    }
    await client.cancel(long);
    expect(linesIn(whole(api.output())).filter(ofLeft)).toHaveLength(1);
  });

  it('say of a request whose client left before the answer that it was aborted, not that it succeeded', async () => {
    const { port, hostname } = new URL(api.url);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => {});
    socket.write(
      'POST /v1/files?name=a HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: left-1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nab',
    );
    // 100 Continue: the request has arrived.
    await new Promise((resolve) => socket.once('data', resolve));
    socket.destroy();
    const line = await findLine(
      api,
      ({ requestId, route }) => requestId === 'left-1' && route === '/v1/files',
    );
    expect(line).toMatchObject({ msg: 'request aborted', level: 30 });
    expect(line).not.toHaveProperty('status');
  });

  it('record who changed what, who was refused, and who failed to sign in', async () => {
    const ada = await signer(SECRETS.jwt)({ sub: 'ada' });
    const password = (text: string) => ({
      Authorization: `Basic ${Buffer.from(`x:${text}`).toString('base64')}`,
    });
    const job = await client.start('steps', { count: 1, intervalMs: 600_000 });
    const before = readFileSync(auditFile, 'utf8').length;
    await call(`${api.url}/v1/jobs/${job.id}/cancel`, 'POST', ada);
    await call(`${api.url}/v1/jobs/${job.id}/cancel/`, 'POST', SECRETS.admin);
    await call(`${api.url}/v1/definitions/kid/pause`, 'POST', ada);
    await call(`${api.url}/v1/definitions/kid/pause`, 'POST', SECRETS.admin);
    await call(`${api.url}/v1/definitions/kid/resume`, 'POST', SECRETS.admin);
    const made = await call(`${api.url}/v1/keys`, 'POST', SECRETS.admin, { name: 'crm' });
    const key = (await made.json()) as { id: string; secret: string };
    await call(`${api.url}/v1/keys/${key.id}`, 'DELETE', SECRETS.admin);
    await call(`${api.url}/v1/revocations`, 'POST', SECRETS.admin, { token: ada });
    const schedule = { name: 'steps', data: { count: 1, intervalMs: 1 }, cron: '0 0 1 1 *' };
    const planned = await call(`${api.url}/v1/schedules`, 'POST', SECRETS.admin, schedule);
    const { id } = (await planned.json()) as { id: string };
    await call(`${api.url}/v1/schedules/${id}`, 'DELETE', SECRETS.admin);
    for (const path of ['/dashboard/sign-in', '/admin/queues/']) {
      await fetch(`${api.url}${path}`, { redirect: 'manual' });
      for (const text of ['a guess', SECRETS.admin]) {
        await fetch(`${api.url}${path}`, { redirect: 'manual', headers: password(text) });
      }
    }
    await fetch(`${api.url}/admin/queues/api/queues/kids/empty`, {
      method: 'PUT',
      headers: { ...bearer(SECRETS.admin), 'X-Request-Id': 'last' },
    });
    await audited(({ requestId }) => requestId === 'last');
    const acts = linesIn(readFileSync(auditFile, 'utf8').slice(before)).map(
      ({ actor, action, target, outcome, status }) => [actor, action, target, outcome, status],
    );
    expect(acts).toEqual([
      ['user:ada', 'job.cancel', `job:${job.id}`, 'refused', 404],
      ['admin', 'job.cancel', `job:${job.id}`, 'done', expect.any(Number)],
      ['user:ada', 'kind.pause', 'kind:kid', 'refused', 403],
      ['admin', 'kind.pause', 'kind:kid', 'done', 200],
      ['admin', 'kind.resume', 'kind:kid', 'done', 200],
      ['admin', 'key.create', `key:${key.id}`, 'done', 201],
      ['admin', 'key.remove', `key:${key.id}`, 'done', 204],
      ['admin', 'token.revoke', expect.stringMatching(/^digest:[\w-]{43}$/), 'done', 204],
      ['admin', 'schedule.create', `schedule:${id}`, 'done', 201],
      ['admin', 'schedule.remove', `schedule:${id}`, 'done', 204],
      ['unidentified', 'admin.sign-in', undefined, 'refused', 401],
      ['admin', 'admin.sign-in', undefined, 'done', 303],
      ['unidentified', 'admin.sign-in', undefined, 'refused', 401],
      ['admin', 'board.empty', 'queue:kids', 'done', 200],
    ]);
    const [line] = linesIn(readFileSync(auditFile, 'utf8').slice(before));
    expect(line).toMatchObject({ name: 'audit', audit: true, address: '127.0.0.1', code: 'not-found' });
    expect(line!.requestId).toBeTruthy();

    // As logrotate does.
    renameSync(auditFile, `${auditFile}.1`);
    api.child.kill('SIGHUP');
    await until('the file is open again', async () => {
      await call(`${api.url}/v1/definitions/none/pause`, 'POST', SECRETS.admin);
      return linesIn(readOr(auditFile)).some(({ target }) => target === 'kind:none');
    });
    expect(linesIn(readFileSync(`${auditFile}.1`, 'utf8')).length).toBeGreaterThanOrEqual(acts.length);
  });

  it('contain no secret and no control character, wherever hostile requests put them', async () => {
    const token = (await client.start('steps', { count: 1, intervalMs: 1 })).token;
    const user = await signer(SECRETS.jwt)({ sub: 'eve' });
    const made = await call(`${api.url}/v1/keys`, 'POST', SECRETS.admin, { name: 'hostile' });
    const { secret: apiKey } = (await made.json()) as { secret: string };
    const inUrl = 'password-in-a-url';
    const secrets = [...Object.values(SECRETS), token, user, apiKey];
    for (const secret of secrets) {
      const encoded = encodeURIComponent(secret);
      const urlWith = `https://x:${inUrl}@example.com/`;
      const headers = {
        'X-Request-Id': secret,
        'User-Agent': secret,
        Cookie: `headway_token=${encoded}; headway_visitor=${encoded}`,
        'X-Forwarded-For': secret,
        Referer: `${api.url}/?token=${encoded}`,
      };
      for (const path of [
        `/v1/jobs/${encoded}`,
        `/v1/jobs/${encoded}/events?token=${encoded}`,
        `/${encoded}?password=${encoded}&x=${encoded}`,
        `/stream?channel=${encoded}&%74oken=${encoded}`,
        `/v1/definitions/${encoded}/pause`,
        `/v1/jobs?then=https://x:${inUrl}@example.com/`,
      ]) {
        await fetch(`${api.url}${path}`, { headers });
        await fetch(`${api.url}${path}`, {
          method: 'POST',
          headers: { ...headers, ...bearer(secret) },
          body: secret,
        });
      }
      const webhook = { url: urlWith, secret: SECRETS.ownWebhook };
      await client.post({ name: secret, data: { [secret]: secret }, options: { webhook } });
      await client.post({
        name: 'steps',
        data: { count: 1, intervalMs: 1 },
        options: { webhook: { url: receiver.url, secret: SECRETS.ownWebhook } },
      });
    }
    const escapes = '\x1b[31m\x9b31m\x7f';
    await raw(
      api.url,
      `GET /\x9b31m?a=\x7f HTTP/1.1\r\nHost: x\r\nX-Request-Id: ${escapes}\r\nX-Forwarded-For: ${escapes}\r\n\r\n`,
    );
    const hostile =
      'GET /v1/jobs/%0d%0a%1b%5b31m%c2%9b%e2%80%a8{"level":60} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
    await raw(api.url, hostile);
    await client.start('thrower', { kind: 'object' });
    await call(
      `${api.url}/v1/definitions/${encodeURIComponent('\x1b\n"\u2028')}/pause`,
      'POST',
      SECRETS.admin,
    );
    const last = await fetch(`${api.url}/v1/definitions`, { headers: { 'X-Request-Id': 'the-last' } });
    await last.text();
    await findLine(api, ({ requestId }) => requestId === 'the-last');
    const outputs = { api: api.output(), worker: worker.output(), audit: readFileSync(auditFile, 'utf8') };
    for (const [name, output] of Object.entries(outputs)) {
      for (const secret of [...secrets, inUrl]) {
        for (const spelled of [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)]) {
          const at = output.indexOf(spelled);
          expect(at < 0 ? '' : output.slice(Math.max(0, at - 300), at + 100), name).toBe('');
        }
      }
      // biome-ignore lint/suspicious/noControlCharactersInRegex: the log must not contain them
      expect(output).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]/);
      // Each line is an entry: a caller can begin none.
      expect(linesIn(whole(output)).every(({ name, level }) => typeof name === 'string' && level < 60)).toBe(
        true,
      );
    }
  });
});

const sha256 = async (text: string): Promise<string> =>
  Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(text))).toString('hex');

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Sends bytes on a connection, and returns what comes back until it is closed. */
function raw(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => socket.end(Buffer.from(bytes, 'latin1')));
    let received = '';
    socket.setEncoding('latin1').on('data', (data) => (received += data));
    socket.on('close', () => resolve(received));
    socket.on('error', () => {});
  });
}
