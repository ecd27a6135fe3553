import { once } from 'node:events';
import { createRequire } from 'node:module';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Logger } from '../../../src/shared/process/log.js';

const require = createRequire(import.meta.url);

describe.runIf(process.platform === 'linux')('the limit of unsent bytes for a viewer', () => {
  const path = require.resolve('koffi');
  require('koffi');
  const { exports } = require.cache[path]!;
  let socket: Socket;
  beforeEach(async () => {
    vi.resetModules();
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await once(socket, 'connect');
    server.close();
  });
  afterEach(() => {
    require.cache[path]!.exports = exports;
    socket.destroy();
  });

  /** Loads the module again with this replacement of koffi. */
  async function withKoffi(koffi: object): Promise<typeof import('../../../src/api/stream/socket-bound.js')> {
    require.cache[path]!.exports = koffi;
    return import('../../../src/api/stream/socket-bound.js');
  }

  it('is skipped when the call throws, and not tried again', async () => {
    let calls = 0;
    const func = () => () => {
      calls++;
      throw new TypeError('Unexpected value');
    };
    const { boundUnsent } = await withKoffi({ load: () => ({ func }) });
    boundUnsent(socket);
    boundUnsent(socket);
    expect(calls).toBe(1);
  });

  it('is logged once when koffi cannot be loaded', async () => {
    const lines: string[] = [];
    const log = { info: (line: string) => lines.push(line) } as unknown as Logger;
    const { loadBound, boundUnsent } = await withKoffi({
      load: () => {
        throw new Error('no native module');
      },
    });
    loadBound(log);
    boundUnsent(socket);
    loadBound(log);
    expect(lines).toEqual([expect.stringContaining('the optional package koffi is not installed')]);
  });
});
