import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { expect, it, onTestFinished } from 'vitest';
import { auditedAct, identifyRoute, templateOf, traitsOf } from '../../../src/api/exchange/route.js';
import { createRouteFinder } from '../../../src/api/exchange/route-finder.js';
import { takeBasePath } from '../../../src/api/http/base-path.js';
import { operations } from '../../../src/api/openapi/document.js';
import { routeTable } from '../../../src/api/routes/table.js';
import { page } from '../../support/documentation.js';

/** What is not recorded: the request log has it, and there is too much of it. */
const NOT_RECORDED = ['startJob', 'startJobs', 'uploadFile', 'publish'];

const actions = operations.flatMap(({ audit }) => audit || []);

it('every operation that changes something is recorded by the audit log, or listed here', () => {
  const unrecorded = operations.filter(({ method, audit }) => method !== 'get' && !audit);
  expect(unrecorded.map(({ id }) => id)).toEqual(NOT_RECORDED);
  expect(new Set(actions).size).toBe(actions.length);
  const documented = page('docs/operations/logging.md');
  for (const action of actions) expect(documented).toContain(`\`${action}\``);
});

it('every stream and every start of work has the error of an overloaded process, and nothing else', () => {
  const traits = (trait: 'stream' | 'startsWork'): string[] =>
    routeTable().flatMap(({ template, methods }) =>
      Object.entries(methods).flatMap(([method, traits]) => (traits?.[trait] ? `${method} ${template}` : [])),
    );
  expect(traits('stream')).toEqual([
    'GET /v1/jobs/{id}/events',
    'GET /v1/events',
    'GET /stream',
    'GET /v1/dashboard/events',
  ]);
  expect(traits('startsWork')).toEqual([
    'POST /v1/jobs',
    'POST /v1/jobs:batch',
    'POST /v1/files',
    'POST /v1/schedules',
    'POST /v1/schedules/{id}/run',
  ]);
});

it('a path is found as Express routes it: in any letter case, with a slash at its end, with and without a base path', async () => {
  const router = express.Router();
  for (const { path, method } of operations) {
    // As in createApp: a path with parameters belongs to a router that is mounted before them.
    const [, mount = '', rest = '/'] = /^(\/(?:v1\/)?[a-z.]+(?::batch)?)(\/.*)?$/.exec(path) ?? [];
    const inner = express.Router();
    inner.route(rest.replace(/\{(\w+)\}/g, ':$1'))[method]((_req, res) => void res.json(path));
    router.use(mount.replace(':', '\\:'), inner);
  }
  const app = express();
  app.use(takeBasePath('/headway'));
  app.use(identifyRoute(createRouteFinder(routeTable())));
  app.use((req, res, next) => {
    res.set('Found', JSON.stringify([templateOf(req) ?? '', traitsOf(req), auditedAct(req) ?? {}]));
    next();
  });
  app.use(router);
  const server = createServer(express().use('/theirs', app).use(app)).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const ask = async (method: string, path: string) => {
    const asked = request({ port, method, path }).end();
    const [response] = await once(asked, 'response');
    let body = '';
    for await (const chunk of response.setEncoding('utf8')) body += chunk;
    const [template, traits, act] = JSON.parse(response.headers.found);
    const routed = response.statusCode === 200 && /^"/.test(body) ? (JSON.parse(body) as string) : undefined;
    return { template, traits, act, routed };
  };

  const spellings: Array<(path: string) => string> = [
    (path) => path,
    (path) => `${path.toUpperCase()}/?token=a/b`,
    (path) => `${path}//`,
    (path) => `/headway${path}`,
    (path) => `/headway/headway${path}/`,
    (path) => `/theirs${path}`,
    (path) => `http://example.com${path}`,
  ];
  const all = operations.flatMap(({ path, method, audit }) =>
    spellings.map((spell) => ({ path, method, audit, asked: spell(path.replace(/\{\w+\}/, 'A%2fb')) })),
  );
  await Promise.all(
    all.map(async ({ path, method, audit, asked }) => {
      const { template, routed, act } = await ask(method.toUpperCase(), asked);
      // More may be found than is routed, but never less.
      expect(template, asked).toBe(path);
      if (!asked.endsWith('//')) expect(routed, asked).toBe(path);
      expect(act.action ?? false, asked).toBe(audit ?? false);
      if (audit && path.includes('{')) {
        expect(act.target.toLowerCase(), asked).toBe(`${audit.split('.')[0]}:a/b`);
      }
    }),
  );
  // Express routes some paths with two slashes at the end.
  expect(await ask('POST', '/v1/schedules//')).toMatchObject({
    routed: '/v1/schedules',
    traits: { startsWork: true },
    act: { action: 'schedule.create' },
  });
  const head = await ask('HEAD', '/V1/Events/');
  expect(head).toMatchObject({ template: '/v1/events', traits: { stream: true } });
  for (const [method, path, template] of [
    ['PUT', '/v1/keys', '/v1/keys'],
    ['GET', '/v1/keys', '/v1/keys'],
    ['OPTIONS', '/v1/keys', '/v1/keys'],
    ['POST', '/v1/jobs/a/b/c', ''],
    ['POST', '/v1/job', ''],
    ['POST', '/v1/jobs%2fa%2fcancel', ''],
    ['GET', '/__proto__/constructor', ''],
    ['GET', '/dashboard/jobs/a', '/dashboard/*'],
  ]) {
    const found = await ask(method!, path!);
    expect(found, path).toMatchObject({ template, act: {} });
    expect(found.traits.startsWork, path).toBeUndefined();
  }
});

it.each([
  ['GET', '/dashboard/sign-in', {}],
  ['GET', '/dashboard/sign-in', { authorization: 'Basic a' }, 'admin.sign-in'],
  ['HEAD', '/Dashboard/Sign-In/', { authorization: 'Basic a' }, 'admin.sign-in'],
  ['POST', '/dashboard/sign-out/', {}, 'admin.sign-out'],
  ['GET', '/admin/queues', {}],
  ['HEAD', '/admin/queues/queue/a', { authorization: 'Basic a' }, 'admin.sign-in'],
  ['PUT', '/Admin/Queues/api/queues/kids/empty/', {}, 'board.empty', 'queue:kids'],
  ['PUT', '/admin/queues/api/queues/kids/7/retry', {}, 'board.retry', 'queue:kids job:7'],
  ['PUT', '/admin/queues/api/queues/pause', {}, 'board.pause'],
  ['OPTIONS', '/admin/queues/api/queues/pause', {}],
])('%s %s with %o is the act %s of %s', (method, path, headers, action?: string, target?: string) => {
  const req = { method, path, headers } as unknown as express.Request;
  identifyRoute(createRouteFinder(routeTable()))(req, {} as express.Response, () => {});
  expect([auditedAct(req)?.action, auditedAct(req)?.target]).toEqual([action, target]);
});
