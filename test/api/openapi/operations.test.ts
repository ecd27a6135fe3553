import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { operations } from '../../../src/api/openapi/document.js';
import { Contract } from '../../support/contract.js';
import { startApi, temporaryFolder } from '../../support/processes.js';
import { until } from '../../support/until.js';
import { jobCases } from './cases/jobs.js';
import { otherCases } from './cases/others.js';
import { scheduleCases } from './cases/schedules.js';
import { streamCases } from './cases/streams.js';
import { checkAnswer, checkRequest, type OperationCases, World } from './world.js';

const cases: Record<string, OperationCases> = {
  ...jobCases,
  ...streamCases,
  ...scheduleCases,
  ...otherCases,
};
/** Operations without invalid requests: they have no input and are open to everybody. */
const NEVER_WRONG = ['health', 'readiness', 'openapi', 'asyncapi'];
/** Paths outside of the API: the page and the reference. */
const PAGES = ['/', '/docs'];

describe('every operation of /openapi.json', () => {
  let world: World;
  let contract: Contract;
  beforeAll(async () => {
    world = await World.start();
    contract = new Contract(await (await fetch(`${world.headway.api.url}/openapi.json`)).json());
  });
  afterAll(() => world.headway.stop());

  it('has cases, with one for every successful response', () => {
    const documented = contract.operations.map(({ id }) => id).sort();
    expect(Object.keys(cases).sort()).toEqual(documented);
    for (const { id, responses } of contract.operations) {
      const fine = Object.keys(responses)
        .map(Number)
        .filter((status) => status < 400);
      const shown = new Set(cases[id]!.good.map(([, status]) => status));
      expect([id, ...shown].sort()).toEqual([id, ...fine].sort());
      if (!NEVER_WRONG.includes(id)) expect(cases[id]!.bad, id).not.toEqual([]);
    }
  });

  it('is a route of the service, and every route is an operation', async () => {
    const file = join(temporaryFolder(), 'routes.json');
    const preload = pathToFileURL('test/support/record-routes.mjs').href;
    const api = await startApi({
      ...world.headway.env,
      NODE_OPTIONS: `--import=${preload}`,
      ROUTES_FILE: file,
    });
    await api.kill();
    const routes = JSON.parse(readFileSync(file, 'utf8')) as Array<{ method: string; path: string }>;
    const names = (all: Array<{ method: string; path: string }>): string[] =>
      all.map(({ method, path }) => `${method.toUpperCase()} ${path}`).sort();
    const ours = routes.filter(({ path }) => !PAGES.includes(path) && !/^\/dashboard(\/|$)/.test(path));
    expect(names(ours)).toEqual(names(contract.operations));
  });

  it('that changes something is in the audit log, however its path is written, if it is to be recorded', async () => {
    const changing = operations.filter(({ method }) => method !== 'get');
    const spellings: Array<(path: string) => string> = [
      (path) => path,
      (path) => `${path.toUpperCase()}/`,
      (path) => `${path}//`,
    ];
    const asked = changing.flatMap(({ id, method, path, audit }) =>
      spellings.map((spell, i) => ({
        requestId: `audit-${id}-${i}`,
        action: audit,
        method: method.toUpperCase(),
        path: spell(path.replace(/\{\w+\}/, 'none')),
      })),
    );
    for (const { requestId, method, path } of asked) {
      await fetch(world.headway.api.url + path, { method, headers: { 'X-Request-Id': requestId } });
    }
    const { readLines } = world;
    const last = 'audit-last';
    await fetch(`${world.headway.api.url}/v1/keys/none`, {
      method: 'DELETE',
      headers: { 'X-Request-Id': last },
    });
    await until('all are recorded', () => readLines().some(({ requestId }) => requestId === last));
    const recorded = new Map(readLines().map(({ requestId, action }) => [requestId, action]));
    for (const { requestId, action } of asked) {
      expect([requestId, recorded.get(requestId) ?? false]).toEqual([requestId, action]);
    }
  });

  describe.each(Object.entries(cases))('%s', (id, { good, bad }) => {
    it.each(good)('responds to a valid request as described: %s, %i', async (_what, status, call) => {
      const operation = contract.byId(id);
      const request = await call(world);
      checkRequest(contract, operation, request);
      const response = await world.send(operation, request);
      expect(response.status, await explained(response)).toBe(status);
      await checkAnswer(contract, operation, response);
    });

    it.each(bad)('responds to an invalid request as described: %s, %i', async (_what, status, call) => {
      const operation = contract.byId(id);
      const response = await world.send(operation, await call(world));
      expect(response.status).toBe(status);
      expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
      await checkAnswer(contract, operation, response);
    });
  });
});

/** Returns the problem in an error response, for the message of a failed test. */
const explained = async (response: Response): Promise<string> =>
  response.status < 400 ? '' : response.clone().text();
