import { randomUUID } from 'node:crypto';
import { admin, bearer, type OperationCases } from '../world.js';

export const otherCases: Record<string, OperationCases> = {
  uploadFile: {
    good: [
      ['the bytes', 201, () => ({ query: { name: 'a.txt' }, body: Buffer.from('some words') })],
      [
        'a form',
        201,
        () => {
          const body = new FormData();
          body.set('file', new Blob(['some words']), 'a.txt');
          return { body };
        },
      ],
    ],
    bad: [
      ['no name', 400, () => ({ body: Buffer.from('some words') })],
      ['too much', 413, () => ({ query: { name: 'a.txt' }, body: Buffer.alloc(200_000) })],
    ],
  },
  dashboardHistory: {
    good: [
      ['of all jobs', 200, () => ({ headers: admin })],
      ['of one kind', 200, () => ({ headers: admin, query: { range: '30d', name: 'steps' } })],
    ],
    bad: [
      ['by a user', 403, (world) => ({ headers: bearer(world.user) })],
      ['by nobody', 401, () => ({})],
      ['an unknown range', 400, () => ({ headers: admin, query: { range: '1y' } })],
    ],
  },
  publish: {
    good: [
      ['text', 200, () => ({ path: { name: 'public.a' }, body: { data: 'words' } })],
      [
        'every field',
        200,
        () => ({
          path: { name: 'public.a' },
          body: {
            event: 'score',
            data: { runs: [4] },
            id: 'ball-7',
            retry: 4000,
            kind: 'state',
            key: 'score',
          },
        }),
      ],
      [
        'several',
        200,
        () => ({ path: { name: 'public.a' }, body: { events: [{ data: 1 }, { data: null }] } }),
      ],
    ],
    bad: [
      ['no data', 400, () => ({ path: { name: 'public.a' }, body: { event: 'score' } })],
      [
        'a short key',
        400,
        () => ({ path: { name: 'public.a' }, body: { data: 1 }, headers: { 'Idempotency-Key': 'short' } }),
      ],
      [
        'a key that was used with another body',
        409,
        async (world) => {
          const call = { path: { name: 'public.a' }, headers: { 'Idempotency-Key': randomUUID() } };
          const url = `${world.headway.api.url}/v1/channels/${call.path.name}`;
          const headers = { ...call.headers, 'Content-Type': 'application/json' };
          await fetch(url, { method: 'POST', headers, body: '{"data":1}' });
          return { ...call, body: { data: 2 } };
        },
      ],
      ['a channel that requires a token', 401, () => ({ path: { name: 'private.a' }, body: { data: 1 } })],
      [
        'a channel that the token does not allow',
        403,
        (world) => ({ path: { name: 'private.a' }, body: { data: 1 }, headers: bearer(world.user) }),
      ],
    ],
  },
  showChannel: {
    good: [['a channel', 200, () => ({ path: { name: 'public.a' }, headers: admin })]],
    bad: [
      ['a channel that requires a token', 401, () => ({ path: { name: 'private.a' } })],
      [
        'by a user without permission',
        403,
        (world) => ({ path: { name: 'a' }, headers: bearer(world.user) }),
      ],
      ['an invalid name', 400, () => ({ path: { name: 'a b' }, headers: admin })],
    ],
  },
  makeKey: {
    good: [
      ['the least', 201, () => ({ headers: admin, body: { name: 'shop' } })],
      [
        'every field',
        201,
        () => ({
          headers: admin,
          body: {
            name: 'all',
            sub: 'shop',
            tenant: 'acme',
            admin: false,
            subscribe: ['orders.*'],
            publish: ['orders.{sub}'],
            jobs: ['steps'],
            expiresAt: '2126-01-01T00:00:00Z',
          },
        }),
      ],
    ],
    bad: [
      ['no name', 400, () => ({ headers: admin, body: {} })],
      ['by an unidentified caller', 401, () => ({ body: { name: 'shop' } })],
    ],
  },
  listKeys: {
    good: [['all', 200, () => ({ headers: admin })]],
    bad: [['by a user', 403, (world) => ({ headers: bearer(world.user) })]],
  },
  revokeKey: {
    good: [
      [
        'a key',
        204,
        async (world) => {
          const made = await fetch(`${world.headway.api.url}/v1/keys`, {
            method: 'POST',
            headers: { 'Content-Type': 'application/json', ...admin },
            body: '{"name":"short"}',
          });
          const { id } = (await made.json()) as { id: string };
          return { path: { id }, headers: admin };
        },
      ],
    ],
    bad: [['an unknown key', 404, () => ({ path: { id: 'nothing' }, headers: admin })]],
  },
  revokeTokens: {
    good: [['by a name', 204, () => ({ headers: admin, body: { jti: 'the-lost-phone' } })]],
    bad: [
      ['two at once', 400, () => ({ headers: admin, body: { jti: 'a', sub: 'b' } })],
      ['by a user', 403, (world) => ({ headers: bearer(world.user), body: { jti: 'a' } })],
    ],
  },
  listDefinitions: {
    good: [['all', 200, () => ({})]],
    bad: [['an invalid token', 401, () => ({ headers: bearer('x.y.z') })]],
  },
  pauseKind: {
    good: [['a kind', 200, () => ({ path: { name: 'checksum' }, headers: admin })]],
    bad: [
      ['by an unidentified caller', 401, () => ({ path: { name: 'checksum' } })],
      ['by a user', 403, (world) => ({ path: { name: 'checksum' }, headers: bearer(world.user) })],
      ['an unknown kind', 404, () => ({ path: { name: 'nothing' }, headers: admin })],
    ],
  },
  resumeKind: {
    good: [['a kind', 200, () => ({ path: { name: 'checksum' }, headers: admin })]],
    bad: [['by an unidentified caller', 401, () => ({ path: { name: 'checksum' } })]],
  },
  health: { good: [['it', 200, () => ({})]], bad: [] },
  readiness: { good: [['it', 200, () => ({})]], bad: [] },
  metrics: {
    good: [
      ['for Prometheus', 200, () => ({ headers: admin })],
      ['in OpenMetrics', 200, () => ({ headers: { ...admin, Accept: 'application/openmetrics-text' } })],
    ],
    bad: [
      ['by an unidentified caller', 401, () => ({})],
      ['by a user', 403, (world) => ({ headers: bearer(world.user) })],
    ],
  },
  openapi: { good: documents('/openapi.json'), bad: [] },
  asyncapi: { good: documents('/asyncapi.json'), bad: [] },
};

function documents(path: string): OperationCases['good'] {
  return [
    ['the document', 200, () => ({})],
    [
      'one that is known',
      304,
      async (world) => {
        const known = await fetch(`${world.headway.api.url}${path}`);
        return {
          headers: { 'If-None-Match': known.headers.get('etag')!, 'Cache-Control': 'max-age=0' },
        };
      },
    ],
  ];
}
