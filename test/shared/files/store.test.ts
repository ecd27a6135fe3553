import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { PassThrough, Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FileStore, StoredFile } from '../../../src/shared/files/store.js';
import { type Backing, bucketBacking, folderBacking } from '../../support/file-stores.js';
import { until } from '../../support/until.js';

const MiB = 1024 * 1024;
const DAY = 24 * 3_600_000;
const sha256 = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');
const unheld = async (): Promise<boolean> => false;

/** The contract of a file store, for both backings. */
describe.each([
  ['a folder', async (): Promise<Backing> => folderBacking()],
  ['a bucket', async (): Promise<Backing> => bucketBacking()],
])('a file store in %s', (_where, start) => {
  let backing: Backing;
  let store: FileStore;
  beforeAll(async () => {
    backing = await start();
    store = backing.store;
  });
  afterAll(() => backing.stop());

  const save = (content: Uint8Array | string = 'content', name = 'a.txt'): Promise<StoredFile> =>
    store.save(name, Readable.from([Buffer.from(content)]));
  const readAll = async (content: Readable): Promise<Buffer> => Buffer.concat(await content.toArray());
  const of = async (id: string): Promise<string[]> =>
    (await backing.list()).filter((key) => key.includes(id));

  it('stores a content unchanged and returns it whole, in ranges and as a path, however large it is', async () => {
    // The last one has several parts in a bucket.
    for (const size of [0, 1, 70_000, 17 * MiB + 1]) {
      const content = randomBytes(size);
      const pieces = [content.subarray(0, size / 3), content.subarray(size / 3)];
      const file = await store.save('../a "b".bin', Readable.from(pieces), size);
      expect(file).toEqual({
        id: expect.stringMatching(/^file_[\w-]{27}$/),
        name: 'a b.bin',
        size,
        sha256: sha256(content),
      });
      const found = await store.stat(file.id);
      expect(found).toEqual({ ...file, storedAt: expect.any(Number) });
      expect(Math.abs(found!.storedAt - Date.now())).toBeLessThan(60_000);
      expect((await readAll(store.read(file))).equals(content)).toBe(true);
      const workspace = store.workspace();
      const path = await store.local(file, workspace);
      expect(readFileSync(path).equals(content)).toBe(true);
      await workspace?.remove();
      expect(existsSync(path)).toBe(workspace === undefined);
      for (const [start, end] of [
        [0, 0],
        [size - 1, size - 1],
        [Math.floor(size / 2), size - 1],
        [0, size - 1],
      ] as const) {
        if (size === 0) continue;
        const part = await readAll(store.read(file, { start, end }));
        expect(part.equals(content.subarray(start, end + 1))).toBe(true);
      }
    }
  });

  it('refuses what is too large, cut off, longer or shorter than announced, and leaves nothing of it', async () => {
    const before = await backing.list();
    const large = (): Readable => Readable.from(Array.from({ length: 21 }, () => Buffer.alloc(MiB)));
    const cut = new PassThrough();
    const broken = (async function* () {
      yield Buffer.alloc(12 * MiB);
      throw Object.assign(new Error('reset'), { code: 'ECONNRESET' });
    })();
    const destroyed = new PassThrough();
    destroyed.destroy();
    const attempts: Array<[code: string, Promise<unknown>]> = [
      ['file-too-large', store.save('a', large())],
      ['file-too-large', store.save('a', Readable.from([]), 21 * MiB)],
      ['upload-aborted', store.save('a', cut)],
      ['upload-aborted', store.save('a', Readable.from(broken))],
      ['upload-aborted', store.save('a', destroyed)],
      ['upload-aborted', store.save('a', Readable.from([Buffer.from('longer')]), 3)],
      ['upload-aborted', store.save('a', Readable.from([Buffer.alloc(9 * MiB)]), 10 * MiB)],
    ];
    const codes = Promise.all(
      attempts.map(([, attempt]) => attempt.then(String, ({ code }) => code as string)),
    );
    cut.write(Buffer.alloc(10 * MiB));
    await delay(50);
    cut.destroy();
    expect(await codes).toEqual(attempts.map(([code]) => code));
    expect(await backing.list()).toEqual(before);
    await store.idle();
  });

  it('stores what a job makes, and leaves nothing of what it could not make', async () => {
    const workspace = store.workspace();
    const content = randomBytes(3 * MiB);
    const file = await store.create('made.bin', (path) => writeFile(path, content), 'q.maker', workspace);
    expect(file).toMatchObject({ name: 'made.bin', size: content.length, sha256: sha256(content) });
    expect((await readAll(store.read(file))).equals(content)).toBe(true);
    const before = await backing.list();
    const failing = store.create('a', async (path) => {
      await writeFile(path, 'half');
      throw new Error('the job failed');
    });
    await expect(failing).rejects.toThrow('the job failed');
    await expect(store.create('a', async () => {})).rejects.toThrow('ENOENT');
    expect(await backing.list()).toEqual(before);
    await workspace?.remove();
    // The job that made it is asked for before it is removed.
    const asked: unknown[] = [];
    await store.sweep(async (...args) => asked.push(args) > 0, Date.now() + DAY);
    expect(asked).toContainEqual([file.id, 'q.maker']);
  });

  it('knows no file that is not there, whatever its id looks like', async () => {
    for (const id of [`file_${'A'.repeat(27)}`, '../../etc/passwd', 'file_', '', 'a/b']) {
      expect(await store.stat(id)).toBeUndefined();
      expect(await store.find(id)).toBeUndefined();
      expect(await store.touch(id)).toBe(false);
      await store.keep(id, Date.now() + DAY);
    }
    const { id } = await save();
    await store.remove(id);
    await store.remove(id);
    expect(await of(id)).toEqual([]);
    await expect(store.remove('../x')).rejects.toMatchObject({ code: 'unknown-file' });
  });

  it('never returns a damaged content as a whole one', async () => {
    const content = randomBytes(200_000);
    const changed = Buffer.from(content);
    changed[150_000]! ^= 1;
    for (const damage of [changed, content.subarray(0, -1), Buffer.concat([content, Buffer.from('x')])]) {
      const file = await save(content);
      await backing.write(`${file.id}/content`, damage);
      let received = 0;
      const stream = store.read(file).on('data', (chunk) => (received += chunk.length));
      const [error] = await once(stream, 'error');
      expect(error).toMatchObject({ code: 'file-damaged', status: 500 });
      expect(received).toBeLessThan(content.length);
      if (damage.length === content.length) continue;
      await expect(store.local(file, store.workspace())).rejects.toMatchObject({ code: 'file-damaged' });
    }
    const gone = await save();
    await backing.remove(`${gone.id}/content`);
    expect(await store.find(gone.id)).toBeUndefined();
    await expect(readAll(store.read(gone))).rejects.toMatchObject({ code: 'gone' });
    await expect(store.local(gone, store.workspace())).rejects.toMatchObject({ code: 'gone' });
    const unreadable = await save();
    await backing.write(`${unreadable.id}/file.json`, Buffer.from('{"id":'));
    expect(await store.find(unreadable.id)).toBeUndefined();
  });

  it('may be read in part and left', async () => {
    const file = await save(randomBytes(5 * MiB));
    const stream = store.read(file);
    await once(stream, 'readable');
    stream.destroy();
    await once(stream, 'close');
    expect((await readAll(store.read(file, { start: 0, end: 2 }))).length).toBe(3);
  });

  it('keeps a file until its lifetime after the last use is over, and longer while a job holds it', async () => {
    const [used, old, held, kept] = await Promise.all([save(), save(), save(), save()]);
    const past = Date.now() - 61_000;
    for (const { id } of [used, old, held, kept]) await backing.setUse(id, past);
    expect(await store.stat(old.id)).toBeUndefined();
    expect(await store.find(old.id)).toMatchObject({ id: old.id });
    expect(await store.touch(used.id)).toBe(true);
    await store.keep(kept.id, Date.now() + DAY);
    // At the same moment, by two processes: the later time counts.
    await Promise.all([store.touch(kept.id), backing.open().keep(kept.id, Date.now() + DAY - 1)]);
    for (const { id } of [used, kept]) expect(await store.stat(id)).toMatchObject({ id });
    const now = Date.now() + 4 * 60_000;
    await store.sweep(async (id) => id === held.id, now);
    expect(await of(old.id)).toEqual([]);
    expect(await of(used.id)).toEqual([]);
    for (const { id } of [held, kept]) expect(await store.find(id)).toMatchObject({ id });
    // The held one counts as used then.
    await store.sweep(unheld, now + 30_000);
    expect(await store.find(held.id)).toMatchObject({ id: held.id });
    await store.sweep(unheld, Date.now() + 2 * DAY);
    expect(await of(kept.id)).toEqual([]);
  });

  it('is not removed with its job if it was used later', async () => {
    const before = Date.now() - 10;
    const file = await save();
    await store.remove(file.id, before);
    expect(await store.stat(file.id)).toMatchObject({ id: file.id });
    await backing.setUse(file.id, before - 1);
    await store.remove(file.id, before);
    expect(await of(file.id)).toEqual([]);
  });

  it('removes files whose record or content is lost, but nothing that is not its own', async () => {
    const [noRecord, noContent] = await Promise.all([save(), save()]);
    await backing.remove(`${noRecord.id}/file.json`);
    await backing.remove(`${noContent.id}/content`);
    await backing.write('readme.txt', Buffer.from('of somebody else'));
    await store.sweep(unheld);
    expect(await of(noRecord.id)).not.toEqual([]);
    await until('they are removed', async () => {
      await store.sweep(unheld, Date.now() + DAY);
      return (await of(noRecord.id)).length + (await of(noContent.id)).length === 0;
    });
    expect(await backing.list()).toContain('readme.txt');
  });
});
