import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import express, { type RequestHandler } from 'express';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jsonBody } from '../../../src/api/http/body.js';
import { answerClientErrors } from '../../../src/api/http/client-error.js';
import { problemHandler } from '../../../src/api/http/problem.js';
import { createTurns } from '../../../src/api/http/turns.js';
import type { UploadLimiter } from '../../../src/api/http/upload-quota.js';
import { filesRoutes } from '../../../src/api/routes/files.js';
import { openFileStore } from '../../../src/shared/files/store.js';
import { createLogger } from '../../../src/shared/process/log.js';
import { temporaryFolder } from '../../support/processes.js';
import { until } from '../../support/until.js';

const MAX = 200_000;
const folder = temporaryFolder();
const store = openFileStore({ dir: folder, ttlMs: 60_000, minFreeBytes: 0, maxBytes: MAX });
const config = { UPLOAD_MAX_BYTES: MAX, STALL_TIMEOUT_MS: 5000, SHUTDOWN_GRACE_MS: 500 };
const access = { requireStarter: async () => undefined };
/** No caller is limited, as from this machine. */
const limiter = { caller: () => ({ exempt: true }), max: () => undefined } as unknown as UploadLimiter;
const routes = filesRoutes({ access, limiter, store, config, stopping: () => false });
const echo: RequestHandler = (req, res) => void res.json(req.body);
const problems = problemHandler({ error() {} } as never);
let server: Server;
let port: number;

beforeAll(async () => {
  const app = express();
  app.use('/v1/files', routes);
  app.use('/behind-raw', express.raw({ type: '*/*' }), routes);
  app.use('/behind-json', express.json(), routes);
  app.use('/jobs-behind-raw', express.raw({ type: '*/*' }), jsonBody('1mb'), echo);
  app.use('/jobs-behind-text', express.text({ type: '*/*' }), jsonBody('1mb'), echo);
  app.use('/jobs-behind-json', express.json(), jsonBody('1mb'), echo);
  app.use(problems);
  server = createServer(app).listen(0, '127.0.0.1');
  answerClientErrors(server, createLogger({ LOG_LEVEL: 'silent' }, 'test'), createTurns());
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

/** The files in the store, and those that this process holds open there. */
const kept = (): string[] => readdirSync(folder).filter((name) => name.startsWith('file_'));
const begun = (): string[] => (readdirSync(folder).includes('tmp') ? readdirSync(join(folder, 'tmp')) : []);
const open = (): string[] =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder);
    } catch {
      return false;
    }
  });

const part = (disposition = 'form-data; name="file"; filename="a.txt"', content = 'hello'): string =>
  `--b\r\nContent-Disposition: ${disposition}\r\n\r\n${content}\r\n`;

/** Sends a form, whole or byte by byte, so that a chunk ends at every position. */
async function send(body: string, bytewise = false, { type = 'boundary=b', more = '', longer = 0 } = {}) {
  const socket = connect(port, '127.0.0.1');
  const closed = once(socket, 'close');
  let answer = '';
  socket.setEncoding('utf8').on('data', (chunk) => (answer += chunk));
  socket.setNoDelay(true);
  socket.write(
    `POST /v1/files HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: multipart/form-data; ${type}\r\n${more}Content-Length: ${Buffer.byteLength(body) + longer}\r\n\r\n`,
    'latin1',
  );
  for (const piece of bytewise ? Buffer.from(body).map((byte) => byte) : []) {
    socket.write(Buffer.from([piece]));
    await new Promise(setImmediate);
  }
  if (!bytewise) socket.write(body);
  // Half-closes the connection, and still reads.
  if (longer > 0) socket.end();
  await closed;
  const [head, text] = answer.split('\r\n\r\n');
  return { status: Number(head!.split(' ')[1]), body: JSON.parse(text!) };
}

describe('a broken form', () => {
  const cases: Array<[string, string]> = [
    ['ends in half a boundary', `${part()}--b`],
    ['ends with one dash', `${part()}--b-`],
    ['ends with one dash and a line end', `${part()}--b-\r\n`],
    ['continues after the boundary', `${part()}--b\r\n`],
    ['ends with another boundary', `${part()}--bx--\r\n`],
    ['has no end', part()],
    ['has a second part without a head', `${part()}--b\r\nnonsense`],
    [
      'has a second part that is cut off',
      `${part()}--b\r\nContent-Disposition: form-data; name="x"\r\n\r\nab`,
    ],
    ['has a second file', `${part()}${part()}--b--\r\n`],
    ['has a file in another field', `${part()}${part('form-data; name="o"; filename="o"')}--b--\r\n`],
    ['has too many parts', `${part()}${part('form-data; name="k"', 'v').repeat(100)}--b--\r\n`],
  ];
  it.each(cases)('leaves nothing behind if it %s', async (_what, body) => {
    const before = kept();
    for (const bytewise of body.length < 500 ? [false, true] : [false]) {
      expect((await send(body, bytewise)).status).toBe(400);
      // Nothing may be left when the response arrives.
      expect([kept(), begun()]).toEqual([before, []]);
      await until('nothing is open', () => open().length === 0);
    }
  });
});

describe('a form that is not accepted', () => {
  const form = `${part()}--b--\r\n`;
  const encoded = 'form-data; name="file"; filename="a.txt"\r\nContent-Transfer-Encoding: base64';
  it.each<[string, string, Parameters<typeof send>[2], number, RegExp]>([
    [
      'a boundary of 300 characters',
      form,
      { type: `boundary=${'x'.repeat(300)}` },
      400,
      /boundary .* is not valid/,
    ],
    ['a boundary that is not ASCII', form, { type: 'boundary=\xe4' }, 400, /boundary .* is not valid/],
    ['an empty boundary', form, { type: 'boundary=""' }, 400, /has no boundary/],
    ['another boundary', form, { type: 'boundary=c' }, 400, /no part begins with the boundary/],
    ['no parts', '', {}, 400, /no part begins with the boundary/],
    ['no end', part(), {}, 400, /ends too early/],
    ['a file in base64', `${part(encoded)}--b--\r\n`, {}, 400, /Content-Transfer-Encoding/],
    [
      'a Content-Encoding',
      form,
      { more: 'Content-Encoding: gzip\r\n' },
      415,
      /Content-Encoding is not supported/,
    ],
    ['a body shorter than its Content-Length', form, { longer: 9 }, 400, /connection ended before/],
    [
      'a body longer than its Content-Length',
      form,
      { longer: -9 },
      400,
      /Content-Length may not match its body/,
    ],
    ['10,000 parts', `${'--b\r\n\r\n\r\n'.repeat(10_000)}${form}`, {}, 400, /more than 100 parts/],
    [
      'a file name without a closing quote',
      `${part('form-data; name="file"; filename="a')}--b--\r\n`,
      {},
      400,
      /has no file/,
    ],
  ])('is refused with the reason: %s', async (_what, body, head, status, detail) => {
    const before = kept();
    const answer = await send(body, false, head);
    expect([answer.status, answer.body.status]).toEqual([status, status]);
    expect(answer.body.detail).toMatch(detail);
    await until('nothing is open', () => open().length === 0 && begun().length === 0);
    expect(kept()).toEqual(before);
  });
});

describe('the name of a file in a form', () => {
  it.each([
    [`filename="a.txt"; filename*=UTF-8''%e2%82%ac.txt`, '€.txt'],
    [`filename*=UTF-8''%e2%82%ac.txt; filename="a.txt"`, '€.txt'],
    [`filename*=utf-8'de'%C3%A4.txt; filename=x.txt`, 'ä.txt'],
    [`filename*=iso-8859-1''%e4.txt`, 'ä.txt'],
    [`filename*="UTF-8''%e2%82%ac.txt"`, '€.txt'],
    [`filename="a.txt"; filename*=UTF-8''%zz%ff`, 'a.txt'],
    [`filename*=klingon''%41; filename="a.txt"`, 'a.txt'],
    ['filename=plain.txt', 'plain.txt'],
    ['FileName = "spaces around.txt"', 'spaces around.txt'],
    ['filename="a;b=c.txt"', 'a;b=c.txt'],
    ['filename="a\\"b.txt"', 'ab.txt'],
    ['filename="a%22b.txt"', 'ab.txt'],
    ['filename="100%.txt"', '100%.txt'],
    ['filename="C:\\dir\\file.txt"', 'file.txt'],
    ['filename="ü€.txt"', 'ü€.txt'],
    ['x="; filename=evil.txt"; filename="good.txt"', 'good.txt'],
  ])('is read from %s', async (parameters, name) => {
    const { status, body } = await send(`${part(`form-data; name="file"; ${parameters}`)}--b--\r\n`);
    expect([status, body.name]).toEqual([201, name]);
  });
});

describe('a field without a chosen file', () => {
  const empty = part('form-data; name="file"; filename=""\r\nContent-Type: application/octet-stream', '');
  it('does not count as a file', async () => {
    const { status, body } = await send(`${empty}--b--\r\n`);
    expect([status, body.detail]).toEqual([400, 'The form has no file in the field "file".']);
    expect((await send(`${part('form-data; name="file"')}--b--\r\n`)).status).toBe(400);
  });
  it('does not prevent another field with a file', async () => {
    const other = empty.replace('"file"', '"other"');
    expect((await send(`${other}${empty}${part()}${empty}--b--\r\n`)).body).toMatchObject({ size: 5 });
  });
  it('is distinguished from an empty file and from one without a name', async () => {
    const named = part('form-data; name="file"; filename="a.txt"', '');
    expect((await send(`${named}--b--\r\n`)).body).toMatchObject({ name: 'a.txt', size: 0 });
    const nameless = part('form-data; name="file"; filename=""', 'x');
    expect((await send(`${nameless}--b--\r\n`)).body).toMatchObject({ name: 'file', size: 1 });
  });
});

it.each([
  ['an upload', 'behind-raw?name=x', 'text/plain', 'words'],
  ['an upload of JSON', 'behind-json?name=x', 'application/json', '{"a":1}'],
  ['a form', 'behind-raw', 'multipart/form-data; boundary=b', `${part()}--b--\r\n`],
  ['JSON read as bytes', 'jobs-behind-raw', 'application/json', '{"a":1}'],
  ['JSON read as text', 'jobs-behind-text', 'application/json', '{"a":1}'],
])('%s returns the reason when the application has read the body', async (_what, path, type, body) => {
  const headers = { 'Content-Type': type };
  const response = await fetch(`http://127.0.0.1:${port}/${path}`, { method: 'POST', headers, body });
  expect(response.status).toBe(500);
  expect(await response.json()).toMatchObject({ detail: expect.stringContaining('before Headway did') });
});

it('a JSON body that the application has parsed is accepted', async () => {
  const headers = { 'Content-Type': 'application/json' };
  const init = { method: 'POST', headers, body: '{"a":1}' };
  expect(await (await fetch(`http://127.0.0.1:${port}/jobs-behind-json`, init)).json()).toEqual({ a: 1 });
});
