import type { Queue } from 'bullmq';
import { type Request, type Response, Router } from 'express';
import { HeadwayError } from '../../shared/errors.js';
import type { OpenQueue, QueuePlan } from '../../shared/jobs/queues.js';
import type { Registry } from '../../shared/jobs/registry.js';
import type { Keyspace } from '../../shared/keyspace.js';
import type { Access } from '../auth/access.js';
import { methods } from '../http/problem.js';
import { jsonSchemaOf } from '../openapi/json-schema.js';
import { openKinds } from '../openapi/kinds.js';

/** Returns the JSON Schemas of schemas; `null` for a schema that has none. */
const jsonSchemasOf = (schemas: object, side: 'input' | 'output'): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(schemas).map(([key, schema]) => [key, jsonSchemaOf(schema, side) ?? null]),
  );

export interface DefinitionRoutesOptions {
  registry: Registry;
  plan: QueuePlan;
  openQueue: OpenQueue;
  keyspace: Keyspace;
  access: Access;
}

/**
 * `/v1/definitions`: the kinds of job, with the JSON Schemas of their data and custom events if the schema library supports
 * it. Admins can pause and resume them.
 */
export function definitionRoutes({
  registry,
  plan,
  openQueue,
  keyspace,
  access,
}: DefinitionRoutesOptions): Router {
  const definitions = openKinds(registry).map(({ name, description, input, limits, events, stages }) => ({
    name,
    ...(description ? { description } : {}),
    input: jsonSchemaOf(input, 'input') ?? null,
    ...(limits ? { limits: jsonSchemasOf(limits, 'input') } : {}),
    ...(events ? { events: jsonSchemasOf(events, 'output') } : {}),
    ...(stages ? { stages: Object.keys(stages) } : {}),
    queue: plan.of(name),
  }));
  const router = Router();
  router.route('/').all(methods('GET')).get(list);
  router.route('/:name/pause').all(methods('POST')).post(pauseKind);
  router.route('/:name/resume').all(methods('POST')).post(resumeKind);
  return router;

  async function list(req: Request, res: Response): Promise<void> {
    const caller = await access.principal(req);
    const isStartable = (name: string): boolean =>
      access.mayStart(caller) && (caller?.grants.jobs?.includes(name) ?? true);
    const paused = new Map(
      await Promise.all(plan.names.map(async (queue) => [queue, await isPaused(queue)] as const)),
    );
    res.set('Cache-Control', 'no-store').json({
      definitions: definitions.map((kind) => ({
        ...kind,
        paused: paused.get(kind.queue) ?? false,
        startable: isStartable(kind.name),
      })),
    });
  }

  async function pauseKind(req: Request, res: Response): Promise<void> {
    const queue = await queueOf(req);
    await Promise.all(inAllShards(queue).map((it) => it.pause()));
    res.json(queueView(queue, true));
  }

  async function resumeKind(req: Request, res: Response): Promise<void> {
    const queue = await queueOf(req);
    await Promise.all(inAllShards(queue).map((it) => it.resume()));
    res.json(queueView(queue, false));
  }

  function inAllShards(queue: string): Queue[] {
    return keyspace.shards.of(queue).map(openQueue);
  }

  /** Returns whether a queue is paused, in any shard. */
  async function isPaused(queue: string): Promise<boolean> {
    return (await Promise.all(inAllShards(queue).map((it) => it.isPaused()))).includes(true);
  }

  async function queueOf(req: Request): Promise<string> {
    await access.requireAdmin(req);
    const name = String(req.params.name);
    if (!registry.has(name)) throw new HeadwayError('not-found', 'No such kind of job.');
    return plan.of(name);
  }

  function queueView(queue: string, paused: boolean): Record<string, unknown> {
    return { queue, paused, jobs: plan.kindsIn(queue).map(({ name }) => name) };
  }
}
