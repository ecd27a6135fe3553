import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, utimesSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import {
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { UnusableFilesError } from '../../../../src/shared/files/s3/faults.js';
import type { FileStore } from '../../../../src/shared/files/store.js';
import { type CutProxy, refuse, startCutProxy } from '../../../support/cut-proxy.js';
import { bucketBacking } from '../../../support/file-stores.js';
import { until } from '../../../support/until.js';

const MiB = 1024 * 1024;
const DAY = 24 * 3_600_000;
const unheld = async (): Promise<boolean> => false;

describe('a file store in a bucket', () => {
  let backing: Awaited<ReturnType<typeof bucketBacking>>;
  let proxy: CutProxy;
  /** A store whose calls pass through the proxy. */
  let store: FileStore;
  beforeAll(async () => {
    backing = await bucketBacking();
    proxy = await startCutProxy(backing.s3.endpoint);
    store = backing.open({ url: backing.s3.filesUrl('some/where/', proxy.url) });
  });
  afterEach(() => {
    proxy.fault = undefined;
  });
  afterAll(async () => {
    await proxy.stop();
    await backing.stop();
  });

  const openUploads = async (): Promise<string[]> => {
    const { Uploads = [] } = await backing.s3.client.send(
      new ListMultipartUploadsCommand({ Bucket: backing.s3.bucket }),
    );
    return Uploads.map(({ Key = '' }) => Key);
  };
  const readAll = async (content: Readable): Promise<Buffer> => Buffer.concat(await content.toArray());

  it('leaves no parts of an upload that ends in the middle, whichever side fails', async () => {
    const before = await backing.list();
    const halves: Array<() => Readable> = [
      () =>
        Readable.from(
          (async function* () {
            yield randomBytes(9 * MiB);
            await until('its first part is there', async () => (await openUploads()).length > 0);
            throw Object.assign(new Error('the client left'), { code: 'ECONNRESET' });
          })(),
        ),
      () => {
        // The storage takes the first part and refuses the second one.
        proxy.fault = (req, res) =>
          /partNumber=2/.test(req.url ?? '') ? refuse(req, res, 403, 'AccessDenied') : 'pass';
        return Readable.from([randomBytes(17 * MiB)]);
      },
      () => {
        proxy.fault = (req, res) =>
          /file\.json/.test(req.url ?? '') ? refuse(req, res, 403, 'AccessDenied') : 'pass';
        return Readable.from([randomBytes(9 * MiB)]);
      },
    ];
    for (const [i, half] of halves.entries()) {
      const failed = store.save('a', half());
      await expect(failed).rejects.toMatchObject({ code: i === 0 ? 'upload-aborted' : 'unavailable' });
      expect(await openUploads()).toEqual([]);
      expect(await backing.list()).toEqual(before);
      proxy.fault = undefined;
    }
  });

  it('aborts uploads that nobody continues, and leaves those of others alone', async () => {
    const begin = async (key: string, parts: number): Promise<void> => {
      const at = { Bucket: backing.s3.bucket, Key: key };
      const { UploadId } = await backing.s3.client.send(new CreateMultipartUploadCommand(at));
      for (let PartNumber = 1; PartNumber <= parts; PartNumber++) {
        await backing.s3.client.send(new UploadPartCommand({ ...at, UploadId, PartNumber, Body: 'x' }));
      }
    };
    const own = `some/where/file_${'B'.repeat(27)}/content`;
    const foreign = ['some/where/else', `other/file_${'B'.repeat(27)}/content`];
    await begin(own, 0);
    await begin(own, 1);
    for (const key of foreign) await begin(key, 0);
    await backing.store.sweep(unheld);
    expect((await openUploads()).filter((key) => key === own)).toHaveLength(2);
    await backing.store.sweep(unheld, Date.now() + DAY);
    expect((await openUploads()).sort()).toEqual(foreign.sort());
  });

  it('goes on reading where a connection was lost, and gives up if it is lost again and again', async () => {
    const content = randomBytes(3 * MiB);
    const file = await store.save('a', Readable.from([content]));
    let cuts = 0;
    proxy.seen.length = 0;
    proxy.fault = (req) => (req.method === 'GET' && cuts++ < 3 ? { cutAfter: 200_000 } : 'pass');
    expect((await readAll(store.read(file))).equals(content)).toBe(true);
    expect(proxy.seen.length).toBe(4);
    cuts = 0;
    const part = { start: 1_000_000, end: 2_500_000 };
    expect((await readAll(store.read(file, part))).equals(content.subarray(part.start, part.end + 1))).toBe(
      true,
    );
    proxy.fault = (req) => (req.method === 'GET' ? { cutAfter: 0 } : 'pass');
    await expect(readAll(store.read(file))).rejects.toMatchObject({ code: 'unavailable', status: 503 });
  });

  it('repeats calls that the storage could not answer, and then says that it is unavailable', async () => {
    let refusals = 2;
    proxy.fault = (req, res) => (refusals-- > 0 ? refuse(req, res, 500, 'InternalError') : 'pass');
    const file = await store.save('a', Readable.from(['text']));
    refusals = Number.POSITIVE_INFINITY;
    for (const call of [
      () => store.stat(file.id),
      () => store.save('b', Readable.from(['text'])),
      () => store.check('answers'),
      () => store.check('usable'),
    ]) {
      const error = await call().then(String, (thrown) => thrown);
      expect(error).toMatchObject({ code: 'unavailable', status: 503 });
      // The cause is for the log. Nothing of the request is in it.
      expect(Object.keys(error.cause)).toEqual(['mistake', 'name']);
      expect(error.cause.message).toContain('InternalError');
    }
    proxy.fault = (req, res) => refuse(req, res, 507, 'QuotaExceeded');
    await expect(store.save('c', Readable.from(['text']))).rejects.toMatchObject({ code: 'disk-full' });
    const gone = await startCutProxy(backing.s3.endpoint);
    await gone.stop();
    const nobody = backing.open({ url: backing.s3.filesUrl('', gone.url) });
    await expect(nobody.stat(file.id)).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('says what has to be changed if waiting does not help', async () => {
    const expectMistake = async (given: FileStore, text: RegExp): Promise<void> => {
      const error = await given.check('usable').then(String, (thrown) => thrown);
      expect(error).toBeInstanceOf(UnusableFilesError);
      expect(error.message).toMatch(text);
      expect(error.message).not.toContain('\n');
    };
    await backing.store.check('usable');
    expect(await backing.list().then((keys) => keys.filter((key) => key.endsWith('/check')))).toEqual([]);
    const other = backing.s3.filesUrl('').replace(`//${backing.s3.bucket}/`, '//no-such-bucket/');
    await expectMistake(
      backing.open({ url: other }),
      /the bucket no-such-bucket does not exist.*\(NoSuchBucket\)/,
    );
    for (const [status, code, text] of [
      [403, 'AccessDenied', /access was denied: docs\/operations\/files.md/],
      [403, 'InvalidAccessKeyId', /the credentials were rejected/],
      [403, 'SignatureDoesNotMatch', /the credentials were rejected/],
      [301, 'PermanentRedirect', /in another region/],
      [404, 'SomethingElse', /the server answered 404/],
      [405, 'MethodNotAllowed', /lacks an operation/],
      [501, 'NotImplemented', /lacks an operation/],
    ] as const) {
      proxy.fault = (req, res) => refuse(req, res, status, code);
      await expectMistake(store, text);
    }
    // The right to remove is missing.
    proxy.fault = (req, res) => (req.method === 'DELETE' ? refuse(req, res, 403, 'AccessDenied') : 'pass');
    await expectMistake(store, /access was denied/);
    proxy.fault = undefined;
    for (const key of await backing.list()) if (key.endsWith('/check')) await backing.remove(key);
  });

  it('works with a server that cannot list uploads', async () => {
    proxy.fault = (req, res) =>
      req.method === 'GET' && /[?&]uploads\b/.test(req.url ?? '')
        ? refuse(req, res, 501, 'NotImplemented')
        : 'pass';
    await store.check('usable');
    await store.sweep(unheld);
  });

  it('has no copies on the disk after an attempt, nor what a killed process has left', async () => {
    const copies = join(backing.dir, 'copies');
    const made = await store.create('a', (path) => writeFile(path, 'made'));
    expect(readdirSync(copies)).toEqual([]);
    const first = store.workspace()!;
    const second = store.workspace()!;
    const path = await store.local(made, first);
    await store.local(made, second);
    await first.remove();
    expect(existsSync(path)).toBe(false);
    expect(() => first.path).toThrow('has ended');
    // Another process has stopped to renew the time of its folder.
    const [own] = readdirSync(copies);
    const other = backing.open();
    await other.tidy();
    expect(existsSync(second.path)).toBe(true);
    utimesSync(join(copies, own!), 1, 1);
    await store.tidy();
    expect(existsSync(second.path)).toBe(true);
    await other.tidy();
    expect(readdirSync(copies)).toEqual([]);
    await second.remove();
  });
});
