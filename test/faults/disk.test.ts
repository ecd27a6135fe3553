import { once } from 'node:events';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { openFileStore } from '../../src/shared/files/store.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { startApi, type TestProcess } from '../support/processes.js';
import { mountSmallDisk } from '../support/small-disk.js';
import { until } from '../support/until.js';

const MiB = 1024 * 1024;
const MIN_FREE = 16 * MiB;
const MIN_INODES = 150;
const disk = mountSmallDisk({ megabytes: 64, inodes: 400 });

describe.runIf(disk.mounted)('a small disk that two API processes and a worker share', () => {
  const { path, free, empty, unmount } = disk;
  const options = { dir: path, ttlMs: 60_000, minFreeBytes: MIN_FREE, maxBytes: 64 * MiB };
  let headway: Headway | undefined;
  let other: TestProcess;

  /** The API processes; started by the first test that needs them. */
  async function apis(): Promise<[TestProcess, TestProcess]> {
    if (!headway) {
      const env = {
        FILES_DIR: path,
        FILES_MIN_FREE_BYTES: `${MIN_FREE}`,
        FILES_MIN_FREE_INODES: `${MIN_INODES}`,
      };
      headway = await startHeadway({ workers: 0, env });
      other = await startApi(headway.env);
    }
    return [headway.api, other];
  }
  beforeEach(empty);
  afterAll(async () => {
    await headway?.stop();
    await other?.kill();
    unmount();
  });

  const send = async (
    api: TestProcess,
    body: RequestInit['body'],
  ): Promise<{ status: number; detail?: string }> => {
    const init = { method: 'POST', body, duplex: 'half' } as RequestInit;
    const response = await fetch(`${api.url}/v1/files?name=x`, init);
    return { status: response.status, ...((await response.json()) as object) };
  };

  /** Begins an upload of known length that sends one byte. */
  async function begin(api: TestProcess, bytes: number): Promise<Socket> {
    const { hostname, port } = new URL(api.url);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => {});
    await once(socket, 'connect');
    const before = partial();
    socket.write(
      `POST /v1/files?name=x HTTP/1.1\r\nHost: ${hostname}:${port}\r\nContent-Length: ${bytes}\r\n\r\nx`,
    );
    await until('it has room', () => partial() > before);
    return socket;
  }
  const list = (folder: string): string[] => {
    try {
      return readdirSync(join(path, folder));
    } catch {
      return [];
    }
  };
  const partial = (): number => list('tmp').length;
  const stored = (): string[] => readdirSync(path).filter((name) => name.startsWith('file_'));

  it('stores as many of a hundred uploads at once as fit, and never passes the minimum', async () => {
    const both = await apis();
    let least = Number.POSITIVE_INFINITY;
    const watch = setInterval(async () => {
      least = Math.min(least, (await free()).bytes);
    }, 5);
    const body = new Uint8Array(MiB).fill(1);
    const answers = await Promise.all(
      // Every second pair of uploads has an unknown length.
      Array.from({ length: 100 }, (_, i) => send(both[i % 2]!, i % 4 < 2 ? body : new Blob([body]).stream())),
    );
    clearInterval(watch);
    // On this file system a stored file takes its content and a page for file.json.
    const fitting = Math.floor((64 * MiB - MIN_FREE) / (MiB + 4096));
    const count = (status: number): number => answers.filter((answer) => answer.status === status).length;
    expect({ stored: count(201), refused: count(507) }).toEqual({ stored: fitting, refused: 100 - fitting });
    expect(stored()).toHaveLength(fitting);
    expect(partial()).toBe(0);
    expect(least).toBeGreaterThanOrEqual(MIN_FREE);
    await until('nothing is reserved', () => list('reserved').length === 0);
  });

  it('takes files of unknown length as long as they fit, when less than a step is left', async () => {
    const store = openFileStore(options);
    const left = async (): Promise<number> => (await free()).bytes - MIN_FREE;
    writeFileSync(join(path, 'log'), new Uint8Array((await left()) - 600 * 1024));
    const save = (bytes: number) =>
      store.save('x', Readable.from(Array(bytes / 1024).fill(new Uint8Array(1024))));
    await Promise.all([save(100 * 1024), save(100 * 1024)]);
    // More than half of what is left.
    await save(300 * 1024);
    await expect(save(100 * 1024)).rejects.toMatchObject({ code: 'disk-full' });
    await store.create('result', async (to) => writeFileSync(to, new Uint8Array(20 * 1024)));
    await expect(
      store.create('result', async (to) => writeFileSync(to, new Uint8Array(100 * 1024))),
    ).rejects.toMatchObject({ code: 'disk-full' });
    expect(stored()).toHaveLength(4);
    expect(await left()).toBeGreaterThanOrEqual(0);
  });

  it('keeps inodes free', async () => {
    const [api] = await apis();
    let answer = await send(api, 'x');
    while (answer.status === 201) answer = await send(api, 'x');
    expect(answer).toMatchObject({ status: 507, detail: expect.stringContaining('cannot hold more files') });
    const { inodes } = await free();
    // The folders are made with the first file.
    expect(inodes).toBeGreaterThanOrEqual(MIN_INODES);
    expect(inodes).toBeLessThan(MIN_INODES + 6);
  });

  it('has room for others when an upload is aborted or its process is killed, but not when Redis restarts', async () => {
    const [api, second] = await apis();
    const worker = openFileStore(options);
    const small = new Uint8Array(3 * MiB);
    const make = (): Promise<unknown> =>
      worker.create('result', async (to) => writeFileSync(to, small)).then((file) => worker.remove(file.id));

    const first = await begin(api, 46 * MiB);
    await headway!.redis.kill();
    await headway!.redis.restart();
    expect(await send(second, small)).toMatchObject({ status: 507, code: 'disk-full' });
    await expect(make()).rejects.toMatchObject({ code: 'disk-full' });
    expect([partial(), list('making').length, stored().length]).toEqual([1, 0, 0]);

    first.destroy();
    await until('another process has the room', async () => (await send(second, small)).status === 201);
    empty();

    await begin(api, 46 * MiB);
    await api.kill();
    await until('another process has the room', async () => (await send(second, small)).status === 201);
    for (const name of stored()) rmSync(join(path, name), { recursive: true });
    await make();
    // What the process has written is removed later.
    expect(partial()).toBe(1);
    const sweeper = openFileStore({ ...options, abandonedMs: 0 });
    expect(await sweeper.sweep(async () => false, Date.now() + 1000)).toBe(1);
    expect(partial()).toBe(0);
  });

  it('refuses the rest of an upload when other programs fill it', async () => {
    const store = openFileStore({ ...options, minFreeBytes: 0 });
    const content = new PassThrough();
    const saved = store.save('x', content);
    saved.catch(() => {});
    content.write(new Uint8Array(MiB));
    await until('a part is written', () => partial() === 1);
    writeFileSync(join(path, 'log'), new Uint8Array((await free()).bytes - MiB));
    content.end(new Uint8Array(8 * MiB));
    await expect(saved).rejects.toMatchObject({ code: 'disk-full' });
    expect([partial(), stored().length]).toEqual([0, 0]);
  });
});
