import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { listQuerySchema } from '../../../src/api/jobs/list-query.js';
import { asyncApiDocument } from '../../../src/api/openapi/asyncapi.js';
import { openApiDocument, schemasOf } from '../../../src/api/openapi/document.js';
import { errorCodes } from '../../../src/shared/errors.js';
import { defineJob } from '../../../src/shared/jobs/definition.js';
import { loadRegistry, type Registry } from '../../../src/shared/jobs/registry.js';
import { builtInJobsDir } from '../../../src/worker/built-in-jobs.js';
import { Contract } from '../../support/contract.js';

// biome-ignore lint/suspicious/noExplicitAny: tests know what they expect
type Any = any;

const standard = (more: object) => ({
  '~standard': { version: 1, vendor: 'mine', validate: (value: unknown) => ({ value }), ...more },
});
const own = (name: string, input: unknown, result: unknown = input, more = {}) =>
  [name, defineJob({ name, input, result, ...more, run: () => null } as never)] as const;
const tree: z.ZodType = z.lazy(() => z.object({ leaves: z.array(tree) }));

describe('the reference', () => {
  let registry: Registry;
  let document: Any;
  let contract: Contract;
  beforeAll(async () => {
    registry = new Map([
      ...(await loadRegistry([builtInJobsDir])),
      own('silent', standard({})),
      own(
        'speaking',
        standard({
          jsonSchema: {
            input: () => ({ type: 'object', properties: { a: { type: 'number' } } }),
            output: () => ({ type: 'string' }),
          },
        }),
      ),
      own(
        'throwing',
        standard({
          validate: () => {
            throw new TypeError('not thought of');
          },
        }),
      ),
      own('tree', tree),
      own('dated', z.object({ at: z.date() })),
      own('telling', z.object({}), z.object({ at: z.date(), big: z.bigint() }), {
        events: { 'a:b': tree, a_b: standard({}), gone: z.object({ at: z.date() }) },
      }),
    ]);
    document = JSON.parse(JSON.stringify(await openApiDocument(registry, '')));
    contract = new Contract(document);
  });

  it('is valid OpenAPI 3.1', async () => {
    const { valid, errors } = await new Validator().validate(structuredClone(document));
    expect(errors).toBeUndefined();
    expect(valid).toBe(true);
  });

  it('has no dangling references, and names each operation once', () => {
    const pointers = Array.from(JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g), ([, ref]) => ref!);
    expect(pointers.length).toBeGreaterThan(100);
    for (const pointer of pointers) {
      const parts = pointer.slice(2).split('/');
      const found = parts.reduce<Any>((inner, part) => inner?.[part], document);
      expect(found, pointer).toBeTypeOf('object');
    }
    const ids = contract.operations.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('has examples that match their schemas', () => {
    let examples = 0;
    for (const operation of contract.operations) {
      const bodies = [
        [['requestBody'], operation.requestBody],
        ...Object.entries(operation.responses).map(([status, answer]) => [['responses', status], answer]),
      ] as Array<[string[], Any]>;
      for (const [where, body] of bodies) {
        for (const [type, content] of Object.entries<Any>(body?.content ?? {})) {
          const values = [content.example, ...Object.values<Any>(content.examples ?? {}).map((e) => e.value)];
          for (const value of values.filter((value) => value !== undefined)) {
            const pointer = contract.pointer(operation, ...where, 'content', type, 'schema');
            expect(contract.mistakes(pointer, value), `${operation.id} ${where}`).toEqual([]);
            examples++;
          }
        }
      }
    }
    expect(examples).toBeGreaterThan(100);
    const { schema: _schema, example } =
      document.webhooks.jobEnded.post.requestBody.content['application/json'];
    expect(contract.mistakes('#/components/schemas/WebhookMessage', example)).toEqual([]);
  });

  it('lists every error code at some operation, except method-not-allowed', () => {
    const published = new Set(JSON.stringify(document.paths).match(/urn:headway:problem:[a-z-]+/g));
    const codes = Object.keys(errorCodes).filter((code) => code !== 'method-not-allowed');
    expect([...published].sort()).toEqual(codes.map((code) => `urn:headway:problem:${code}`).sort());
  });

  it('has the parameters that validate the list of jobs', () => {
    const names = contract.byId('listJobs').parameters.map(({ name }) => name);
    expect(names.sort()).toEqual(
      Object.keys(listQuerySchema.shape)
        .filter((name) => name !== 'token')
        .sort(),
    );
  });

  it('has the schemas of jobs from any library, and a generic one if there is none', () => {
    const fits = (schema: string, value: unknown): boolean =>
      contract.mistakes(`#/components/schemas/${schema}`, value).length === 0;
    expect(document.components.schemas['steps.data'].properties.count.description).toBe('Number of steps');
    expect(fits('steps.start', { name: 'steps', data: { count: 1, intervalMs: 1 } })).toBe(true);
    expect(fits('steps.start', { name: 'steps' })).toBe(false);
    expect(fits('silent.start', { name: 'silent' })).toBe(true);
    expect(fits('silent.start', { name: 'silent', data: [1, 'two'] })).toBe(true);
    expect(fits('throwing.start', { name: 'throwing', data: 1 })).toBe(true);
    expect(fits('speaking.data', { a: 'one' })).toBe(false);
    expect(fits('speaking.result', 1)).toBe(false);
    expect(fits('tree.data', { leaves: [{ leaves: [] }] })).toBe(true);
    expect(fits('tree.data', { leaves: [{ leaves: 1 }] })).toBe(false);
    expect(fits('dated.data', 'whatever')).toBe(true);
    expect(document.components.schemas['webhook.start']).toBeUndefined();
  });

  it('has the custom events that a kind declares, as they arrive in JSON', () => {
    const values = { 'a:b': { leaves: [{ leaves: [] }] }, a_b: 1, gone: { at: '2030-01-01T00:00:00.000Z' } };
    const schema = '#/components/schemas/telling.events';
    expect(contract.mistakes(schema, values)).toEqual([]);
    expect(contract.mistakes(schema, { ...values, 'a:b': { leaves: [{ leaves: 1 }] } })).not.toEqual([]);
    expect(contract.mistakes(schema, { ...values, gone: { at: 1 } })).not.toEqual([]);
    const result = '#/components/schemas/telling.result';
    expect(contract.mistakes(result, { at: '2030-01-01T00:00:00.000Z', big: 'unknown' })).toEqual([]);
    expect(contract.mistakes(result, { at: 1, big: 1 })).not.toEqual([]);
    for (const id of ['watchJob', 'watchJobs']) {
      const { customEvents, description } = contract.byId(id);
      expect(customEvents).toEqual({ telling: { $ref: schema } });
      expect(description).toContain('- `telling`: `a:b`, `a_b`, `gone` (`telling.events`)');
    }
    expect(contract.byId('watchChannels').customEvents).toBeUndefined();
    expect(document.components.schemas['tree.events']).toBeUndefined();
  });

  it('is valid without any kind of job', async () => {
    const { valid } = await new Validator().validate(await openApiDocument(new Map(), ''));
    expect(valid).toBe(true);
  });

  it('describes the streams as valid AsyncAPI 3, with the schemas of the same events', async () => {
    const asyncApi: Any = JSON.parse(JSON.stringify(asyncApiDocument(await schemasOf(registry), '')));
    const path = createRequire(import.meta.url).resolve('@asyncapi/specs/schemas/3.0.0.json');
    // The AsyncAPI schema names its own JSON Schema draft.
    const ajv = new Ajv({ strict: false, allErrors: true, meta: false, validateSchema: false });
    addFormats.default(ajv);
    const validate = ajv.compile(JSON.parse(readFileSync(path, 'utf8')));
    expect(validate(asyncApi) ? [] : validate.errors).toEqual([]);
    const names = Object.keys(asyncApi.channels.job.messages);
    expect(names).toEqual(expect.arrayContaining(['progress', 'completed', 'reset', 'custom']));
    expect(asyncApi.components.schemas.Progress).toEqual(document.components.schemas.Progress);
    const referred = JSON.stringify(asyncApi).matchAll(/"#\/components\/schemas\/([^"/]+)/g);
    expect(Object.keys(asyncApi.components.schemas)).toEqual(
      expect.arrayContaining(Array.from(referred, ([, name]) => name)),
    );
  });
});
