import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, utimesSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { UploadedFile } from '../support/client.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { startApi, temporaryFolder } from '../support/processes.js';
import { openStream } from '../support/sse.js';
import { until } from '../support/until.js';

const MAX = 200_000;
const MiB = 1024 * 1024;
const sha256 = (content: Uint8Array | string): string => createHash('sha256').update(content).digest('hex');

describe('files', () => {
  let headway: Headway;
  let folder: string;
  let files: string;

  beforeAll(async () => {
    folder = temporaryFolder();
    headway = await startHeadway({ env: { FILES_DIR: folder, UPLOAD_MAX_BYTES: String(MAX) } });
    files = `${headway.api.url}/v1/files`;
  });
  afterAll(() => headway.stop());

  const form = (field: string, content: string | Uint8Array<ArrayBuffer>, name: string): FormData => {
    const data = new FormData();
    data.append(field, new Blob([content]), name);
    return data;
  };
  const leftovers = (): string[] => (existsSync(join(folder, 'tmp')) ? readdirSync(join(folder, 'tmp')) : []);

  it('are uploaded as a raw body or as a form, and stored unchanged', async () => {
    const content = randomBytes(150_000);
    for (const [target, init] of [
      [`${files}?name=data.bin`, { method: 'POST', body: content }],
      [files, { method: 'POST', body: form('file', content, 'data.bin') }],
    ] as const) {
      const response = await fetch(target, init);
      expect(response.status).toBe(201);
      const file = (await response.json()) as UploadedFile;
      expect(file).toEqual({
        id: expect.stringMatching(/^file_[\w-]{27}$/),
        name: 'data.bin',
        size: content.length,
        sha256: sha256(content),
      });
      expect(readFileSync(join(folder, file.id, 'content')).equals(content)).toBe(true);
    }
  });

  it('can be empty', async () => {
    expect(await headway.client.upload('empty.txt', '')).toMatchObject({ size: 0, sha256: sha256('') });
  });

  it.each([
    ['../../etc/passwd', 'passwd'],
    ['C:\\Windows\\evil.exe', 'evil.exe'],
    ['..', 'file'],
    ['a\u0000b\nc.txt', 'abc.txt'],
    ['Übersicht 2026.csv', 'Übersicht 2026.csv'],
    ['\u202egnp.exe', 'gnp.exe'],
    ['.htaccess', '.htaccess'],
  ])('named %j are stored as %j, and nowhere else', async (name, clean) => {
    const file = await headway.client.upload(name, 'x');
    expect(file.name).toBe(clean);
    expect(readdirSync(join(folder, file.id)).sort()).toEqual(['content', 'file.json']);
  });

  it('that are too large are refused, with and without Content-Length, and nothing is left', async () => {
    const big = randomBytes(MAX + 1);
    const unknownLength = new ReadableStream({
      start(controller) {
        controller.enqueue(big);
        controller.close();
      },
    });
    for (const [query, body] of [
      ['?name=big', big],
      ['?name=big', unknownLength],
      ['', form('file', big, 'big')],
      ['', form('file', randomBytes(MAX * 3), 'big')],
    ] as const) {
      const response = await fetch(`${files}${query}`, {
        method: 'POST',
        body,
        duplex: 'half',
      } as RequestInit);
      expect(response.status).toBe(413);
      expect(await response.json()).toMatchObject({ code: 'file-too-large' });
    }
    await until('nothing is left', () => leftovers().length === 0);
  });

  it.each([
    ['no name', '', 'x', 'invalid-request'],
    ['a form with another field', '', form('document', 'x', 'x'), 'invalid-request'],
    ['an empty form', '', new FormData(), 'invalid-request'],
  ])('with %s are refused', async (_what, query, body, code) => {
    const response = await fetch(`${files}${query}`, { method: 'POST', body });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code });
  });

  it('are refused if a form has two', async () => {
    const body = form('file', 'one', 'one');
    body.append('file', new Blob(['two']), 'two');
    expect((await fetch(files, { method: 'POST', body })).status).toBe(400);
  });

  it('in a broken form are refused', async () => {
    for (const [type, body] of [
      ['multipart/form-data', 'x'],
      ['multipart/form-data; boundary=b', 'no boundary in here'],
      [
        'multipart/form-data; boundary=b',
        '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf',
      ],
    ]) {
      const response = await fetch(files, {
        method: 'POST',
        body: body!,
        headers: { 'Content-Type': type! },
      });
      expect([type, body, response.status]).toEqual([type, body, 400]);
    }
    await until('nothing is left', () => leftovers().length === 0);
  });

  it.each([
    ['raw', 'POST /v1/files?name=x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nhalf'],
    [
      'chunked',
      'POST /v1/files?name=x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
    ],
    [
      'as a form',
      'POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf',
    ],
  ])('leave nothing behind when their upload is cut off (%s)', async (_how, head) => {
    const kept = (): number => readdirSync(folder).filter((name) => name.startsWith('file_')).length;
    await until('nothing is left of other uploads', () => leftovers().length === 0);
    const before = kept();
    const socket = connect(Number(new URL(files).port), '127.0.0.1');
    socket.on('error', () => {});
    socket.write(head);
    await until('the upload has begun', () => leftovers().length === 1);
    socket.destroy();
    await once(socket, 'close');
    await until('nothing is left', () => leftovers().length === 0);
    expect(kept()).toBe(before);
    expect((await fetch(`${headway.api.url}/healthz`)).status).toBe(200);
  });

  it('are refused while the disk is too full', async () => {
    const full = await startApi({ ...headway.env, FILES_MIN_FREE_BYTES: String(Number.MAX_SAFE_INTEGER) });
    const response = await fetch(`${full.url}/v1/files?name=x`, { method: 'POST', body: 'x' });
    expect(response.status).toBe(507);
    expect(await response.json()).toMatchObject({ code: 'disk-full' });
    await full.kill();
  });

  it('are refused if they would fill the disk, however they are sent', async () => {
    const { bavail, bsize } = await statfs(headway.env.DATA_DIR!);
    // The disk has room for part of the file, and for what other programs write meanwhile.
    const full = await startApi({
      ...headway.env,
      FILES_MIN_FREE_BYTES: String(bavail * bsize - 40 * MiB),
      UPLOAD_MAX_BYTES: String(1024 ** 3),
    });
    const file = new Blob([new Uint8Array(192 * MiB)]);
    const form = new FormData();
    form.set('file', file, 'big.bin');
    for (const send of [
      () => fetch(`${full.url}/v1/files?name=x`, { method: 'POST', body: file }),
      () => fetch(`${full.url}/v1/files`, { method: 'POST', body: form }),
      // This body has an unknown length.
      () =>
        fetch(`${full.url}/v1/files?name=x`, {
          method: 'POST',
          body: file.stream(),
          duplex: 'half',
        } as RequestInit),
    ]) {
      const response = await send();
      expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([
        507,
        'disk-full',
      ]);
    }
    await full.kill();
  });

  it('of a result can be downloaded with access to the job, completely or in ranges', async () => {
    const csv = 'id,name\n1,one\n2,two\nx,three\n4,four\n5,five\n6,six\n7,seven\n8,eight\n9,nine\n10,ten\n';
    const { id } = await headway.client.upload('list.csv', csv);
    const job = await headway.client.start('csv-import', { file: id });
    await (await openStream(headway.client.events(job), { token: job.token })).ended;
    const result = (await (await headway.client.result(job)).json()) as Record<
      'report' | 'database',
      UploadedFile & { href: string }
    >;
    for (const [key, name, type] of [
      ['report', 'list-rejected.csv', /^line,column/],
      ['database', 'list.sqlite', /^SQLite format 3/],
    ] as const) {
      const file = result[key];
      expect(file.name).toBe(name);
      for (const query of [`?file=${file.id}`, `?file=${key}`]) {
        const response = await headway.client.result(job, query);
        expect(response.status).toBe(200);
        expect(response.headers.get('content-disposition')).toBe(`attachment; filename=${name}`);
        const content = Buffer.from(await response.arrayBuffer());
        expect(content.length).toBe(file.size);
        expect(sha256(content)).toBe(file.sha256);
        expect(content.toString('latin1')).toMatch(type);
      }
      const part = await fetch(`${headway.api.url}${file.href}&token=${job.token}`, {
        headers: { Range: 'bytes=0-3' },
      });
      expect(part.status).toBe(206);
      expect((await part.arrayBuffer()).byteLength).toBe(4);
      expect((await fetch(`${headway.api.url}${file.href}`)).status).toBe(404);
    }
    // The uploaded file is not in the result.
    for (const query of [`?file=${id}`, '?file=..%2f..%2fetc%2fpasswd', '?file=', '?file=rows']) {
      expect((await headway.client.result(job, query)).status).toBe(404);
    }
  });
});

describe('old files', () => {
  it('are removed, and a job that names one is refused', async () => {
    const headway = await startHeadway({ workers: 0, env: { FILES_TTL_MS: '1000' } });
    try {
      const { id } = await headway.client.upload('x', 'x');
      utimesSync(join(headway.env.DATA_DIR!, 'files', id, 'file.json'), 1, 1);
      const response = await headway.client.post({ name: 'checksum', data: { file: id } });
      expect([response.status, await response.json()]).toMatchObject([422, { code: 'unknown-file' }]);
    } finally {
      await headway.stop();
    }
  });
});
