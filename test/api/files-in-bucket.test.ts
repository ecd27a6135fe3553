import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CliUser, jsonLines } from '../support/cli.js';
import type { StartedJob, UploadedFile } from '../support/client.js';
import { type CutProxy, refuse, startCutProxy } from '../support/cut-proxy.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { inThread, jobsDir } from '../support/jobs.js';
import { startApi, startWorker, temporaryFolder } from '../support/processes.js';
import { type S3Server, startS3 } from '../support/s3.js';
import { openStream } from '../support/sse.js';
import { bearer } from '../support/tokens.js';
import { until } from '../support/until.js';

const MiB = 1024 * 1024;
const sha256 = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');

describe('with its files in a bucket, a service', () => {
  let s3: S3Server;
  let proxy: CutProxy;
  let headway: Headway;
  beforeAll(async () => {
    s3 = await startS3();
    proxy = await startCutProxy(s3.endpoint);
    headway = await startHeadway({
      env: {
        ...s3.env,
        FILES_URL: s3.filesUrl('headway/', proxy.url),
        JOBS_DIR: jobsDir('copier', inThread('copier')),
        LOG_LEVEL: 'debug',
      },
    });
  });
  afterAll(async () => {
    await headway?.stop();
    await proxy?.stop();
    await s3?.stop();
  });

  const upload = async (init: RequestInit, query = '?name=a.bin'): Promise<UploadedFile> => {
    const response = await fetch(`${headway.api.url}/v1/files${query}`, { method: 'POST', ...init });
    expect(response.status).toBe(201);
    return (await response.json()) as UploadedFile;
  };
  const completed = async (name: string, data: unknown): Promise<StartedJob> => {
    const job = await headway.client.start(name, data);
    await (await openStream(headway.client.events(job), { token: job.token })).ended;
    expect(await (await headway.client.get(job)).json()).toMatchObject({ state: 'completed' });
    return job;
  };
  /** What is on the disk of this machine, apart from the service's own data. */
  const onDisk = (): string[] => {
    const files = join(headway.env.DATA_DIR!, 'files');
    return existsSync(files)
      ? readdirSync(files, { recursive: true })
          .map(String)
          .filter((path) => !/^(copies$|reserved)/.test(path))
      : [];
  };

  it('takes uploads in every form and runs jobs with them, and leaves nothing on the disk', async () => {
    const small = randomBytes(100_000);
    // This one has two parts in the bucket.
    const large = randomBytes(9 * MiB);
    const form = new FormData();
    form.set('file', new Blob([small]), 'a.bin');
    const chunked = { body: new Blob([large]).stream(), duplex: 'half' } as RequestInit;
    for (const [content, file] of [
      [small, await upload({ body: small })],
      [large, await upload(chunked)],
      [small, await upload({ body: form }, '')],
    ] as const) {
      expect(file).toMatchObject({ name: 'a.bin', size: content.length, sha256: sha256(content) });
      const job = await completed('checksum', { file: file.id });
      expect(await (await headway.client.result(job)).json()).toMatchObject({ digest: sha256(content) });
    }
    await completed('mandelbrot', { width: 64, height: 64, iterations: 10 });
    await until('no copy is left', () => onDisk().length === 0);
  });

  it('serves result files with ranges and conditions', async () => {
    const csv = `id,name\n${Array.from({ length: 500 }, (_, i) => `${i},n${i}`).join('\n')}\nx,y\n`;
    const { id } = await headway.client.upload('list.csv', csv);
    const job = await completed('csv-import', { file: id });
    const { database, report } = (await (await headway.client.result(job)).json()) as Record<
      'database' | 'report',
      UploadedFile & { href: string }
    >;
    expect(report.size).toBeGreaterThan(0);
    const get = (headers: Record<string, string> = {}, method = 'GET'): Promise<Response> =>
      fetch(`${headway.api.url}${database.href}`, {
        method,
        headers: { ...bearer(job.token), 'Cache-Control': 'max-age=0', ...headers },
      });
    const whole = await get();
    const content = Buffer.from(await whole.arrayBuffer());
    expect([whole.status, sha256(content)]).toEqual([200, database.sha256]);
    expect(Object.fromEntries(whole.headers)).toMatchObject({
      'content-length': String(database.size),
      'content-type': 'application/octet-stream',
      'content-disposition': 'attachment; filename=list.sqlite',
      'accept-ranges': 'bytes',
      etag: `"${database.sha256}"`,
    });
    const etag = whole.headers.get('etag')!;
    const modified = whole.headers.get('last-modified')!;
    expect(Math.abs(Date.parse(modified) - Date.now())).toBeLessThan(60_000);
    for (const [headers, status, bytes] of [
      [{ Range: 'bytes=0-14' }, 206, content.subarray(0, 15)],
      [{ Range: 'bytes=100-' }, 206, content.subarray(100)],
      [{ Range: 'bytes=-7' }, 206, content.subarray(-7)],
      [{ Range: 'bytes=0-14', 'If-Range': etag }, 206, content.subarray(0, 15)],
      [{ Range: 'bytes=0-14', 'If-Range': modified }, 206, content.subarray(0, 15)],
      [{ Range: 'bytes=0-14', 'If-Range': '"another"' }, 200, content],
      [{ Range: 'bytes=0-1,5-6' }, 200, content],
      [{ Range: 'lines=0-1' }, 200, content],
      [{ 'If-None-Match': etag }, 304, Buffer.alloc(0)],
      [{ 'If-Modified-Since': modified }, 304, Buffer.alloc(0)],
      [{ 'If-Match': etag }, 200, content],
    ] as const) {
      const response = await get(headers);
      const body = Buffer.from(await response.arrayBuffer());
      expect([headers, response.status, body.equals(bytes)]).toEqual([headers, status, true]);
    }
    const head = await get({ Range: 'bytes=0-14' }, 'HEAD');
    expect([head.status, head.headers.get('content-length')]).toEqual([206, '15']);
    const refused = await get({ Range: 'bytes=99999999-' });
    expect([refused.status, refused.headers.get('content-range')]).toEqual([416, `bytes */${database.size}`]);
    expect((await refused.json()) as object).toMatchObject({ code: 'range-not-satisfiable' });
    expect(refused.headers.get('content-disposition')).toBeNull();
    expect((await get({ 'If-Match': '"another"' })).status).toBe(412);
    // The connection to the storage is lost in the middle: the client gets the rest all the same.
    let cuts = 0;
    proxy.fault = (req) => (/\/content/.test(req.url ?? '') && cuts++ < 1 ? { cutAfter: 5000 } : 'pass');
    expect(sha256(Buffer.from(await (await get()).arrayBuffer()))).toBe(database.sha256);
    expect(cuts).toBe(2);
    proxy.fault = undefined;
    await s3.put(`headway/${database.id}/content`, Buffer.concat([Buffer.from('x'), content.subarray(1)]));
    const damaged = await get();
    expect([damaged.status, ((await damaged.json()) as { code: string }).code]).toEqual([
      500,
      'file-damaged',
    ]);
    await s3.remove(`headway/${database.id}/content`);
    expect((await get()).status).toBe(410);
  });

  it.each(['copier', 'copier-thread'])(
    'removes the copies of a job that has to be terminated (%s)',
    async (name) => {
      const { id } = await headway.client.upload('a.txt', 'text');
      const job = await headway.client.start(name, { file: id });
      await until(
        'it has a copy and half a file',
        () => onDisk().filter((path) => path.split('/').length === 4).length === 2,
      );
      expect((await headway.client.cancel(job)).status).toBeLessThan(300);
      await until('nothing is left', () => onDisk().length === 0);
    },
  );

  it('answers 503 while the storage is away, says so, and goes on when it is back', async () => {
    const { id } = await headway.client.upload('a.txt', 'text');
    const ready = async (): Promise<unknown> => {
      const response = await fetch(`${headway.api.url}/readyz`);
      return [response.status, await response.json()];
    };
    expect(await ready()).toEqual([200, { status: 'ready', files: 'ok' }]);
    proxy.fault = (req, res) => refuse(req, res, 503, 'ServiceUnavailable');
    const answers = await Promise.all([
      fetch(`${headway.api.url}/v1/files?name=b`, { method: 'POST', body: 'text' }),
      headway.client.post({ name: 'checksum', data: { file: id } }),
    ]);
    for (const answer of answers) {
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '2']);
      const problem = (await answer.json()) as { code: string; detail: string };
      expect(problem).toMatchObject({ code: 'unavailable' });
      expect(problem.detail).toContain('file storage');
    }
    // Jobs without files go on.
    await completed('steps', { count: 1, intervalMs: 1 });
    await until('it says so', async () => JSON.stringify(await ready()).includes('unavailable'));
    expect(await ready()).toEqual([200, { status: 'ready', files: 'unavailable' }]);
    const user = new CliUser(headway.api.url, { ...headway.env, REDIS_URL: headway.redis.url });
    const doctor = async (env: Record<string, string> = {}): Promise<unknown> =>
      Object.fromEntries(
        jsonLines((await user.run(['doctor', '--json'], { env })).stdout).map(({ check, level }) => [
          check,
          level,
        ]),
      );
    expect(await doctor()).toMatchObject({ files: 'problem', 'api ready': 'problem' });
    proxy.fault = undefined;
    expect(await doctor()).toMatchObject({ files: 'ok' });
    await completed('checksum', { file: id });
    await until('it is well again', async () => JSON.stringify(await ready()).includes('"ok"'));
    const metrics = await (await fetch(`${headway.api.metrics}`)).text();
    expect(metrics).toMatch(/headway_file_storage_requests_total\{operation="list",outcome="failed"\} [1-9]/);
    expect(metrics).toMatch(/headway_file_storage_requests_total\{operation="upload",outcome="ok"\} [1-9]/);
    for (const { output } of [headway.api, ...headway.workers]) {
      for (const secret of Object.values(s3.env)) expect(output()).not.toContain(secret);
      expect(output()).not.toContain('AWS4-HMAC');
    }
  });

  it('waits at its start for a storage that is away, and ends with 78 if that does not help', async () => {
    const refusing = [await startCutProxy(s3.endpoint), await startCutProxy(s3.endpoint)];
    for (const each of refusing) each.fault = (req, res) => refuse(req, res, 500, 'InternalError');
    const env = { ...headway.env, DATA_DIR: temporaryFolder(), LOG_LEVEL: 'warn' };
    const starting = [
      startApi({ ...env, FILES_URL: s3.filesUrl('', refusing[0]!.url) }),
      startWorker({ ...env, FILES_URL: s3.filesUrl('', refusing[1]!.url) }),
    ];
    // A call has three tries.
    await until('both have asked again', () => refusing.every(({ seen }) => seen.length > 3));
    for (const each of refusing) each.fault = undefined;
    for (const started of await Promise.all(starting)) {
      expect(started.output()).toMatch(/waiting for the file storage at s3:\/\/.* InternalError/);
      await started.kill();
    }
    for (const each of refusing) await each.stop();
    const url = s3.filesUrl('');
    for (const [FILES_URL, text] of [
      [url.replace(`//${s3.bucket}/`, '//no-such-bucket/'), /the bucket no-such-bucket does not exist/],
      [url.replace('//', '//AKIA:hidden-secret@'), /FILES_URL: must not contain credentials/],
    ] as const) {
      const error = await startWorker({ ...env, FILES_URL }).then(String, (thrown) => thrown);
      expect(error.code).toBe(78);
      expect(error.output).toMatch(text);
      expect(error.output).not.toContain('hidden-secret');
    }
  });
});
