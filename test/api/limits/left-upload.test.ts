import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import express from 'express';
import { expect, it } from 'vitest';
import type { UploadLimiter } from '../../../src/api/http/upload-quota.js';
import type { LimitedCaller } from '../../../src/api/limits/caller.js';
import { filesRoutes } from '../../../src/api/routes/files.js';
import { openFileStore } from '../../../src/shared/files/store.js';
import { temporaryFolder } from '../../support/processes.js';
import { until } from '../../support/until.js';

it.each(['application/octet-stream', 'multipart/form-data; boundary=b'])(
  'an upload (%s) whose client leaves while its limits are checked is given back at once',
  async (type) => {
    let held = 0;
    let taken = 0;
    const app = express();
    const caller: LimitedCaller = {
      kind: 'user',
      tier: 'user',
      who: 'user:a',
      address: 'address:a',
      exempt: false,
      own: {},
    };
    const limiter: UploadLimiter = {
      caller: () => caller,
      max: () => 1e9,
      // An upload of known length is counted at once.
      rates: { take: () => Promise.reject(new Error('unexpected')), refused: () => undefined },
      atOnce: {
        hold() {
          held++;
          return () => held--;
        },
        holdStreamOf: () => () => {},
      },
      async take({ units = 1 }, res) {
        taken += units;
        if (units < 0) return;
        // Redis answers after the client has left.
        socket.destroy();
        await until('the server notices', () => res?.req.closed);
      },
    };
    const store = openFileStore({ dir: temporaryFolder(), ttlMs: 60_000, minFreeBytes: 0, maxBytes: 1e9 });
    const config = { UPLOAD_MAX_BYTES: 1e9, STALL_TIMEOUT_MS: 60_000, SHUTDOWN_GRACE_MS: 1000 };
    const access = { requireStarter: async () => undefined };
    app.use('/v1/files', filesRoutes({ access, limiter, store, config, stopping: () => false }));
    let code: unknown;
    app.use(((error, _req, _res, _next) => {
      code = error.code;
    }) as express.ErrorRequestHandler);
    const server = createServer(app).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.write(
      `POST /v1/files?name=x HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\nContent-Length: 5000000\r\n\r\n`,
    );
    await until('the upload has ended', () => code !== undefined);
    expect(code).toBe('upload-aborted');
    // The bytes of a small file count.
    expect([held, taken]).toEqual([0, 1024 * 1024]);
    server.close();
  },
);
