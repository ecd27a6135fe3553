import { Router } from 'express';
import { z } from 'zod';
import type { JobDefinition } from '../../shared/job.js';
import type { Registry } from '../../shared/registry.js';
import { methods } from '../problem.js';

/** `/v1/definitions`: the kinds of job there are, with the JSON Schema of their data where the schema library gives one. */
export function definitionRoutes(registry: Registry): Router {
  const definitions = [...registry.values()]
    .filter(({ internal }) => !internal)
    .map(({ name, description, input, stages }) => ({
      name,
      ...(description ? { description } : {}),
      input: jsonSchema(input),
      ...(stages ? { stages: Object.keys(stages) } : {}),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const router = Router();
  router
    .route('/')
    .all(methods('GET'))
    .get((_req, res) => {
      res.json({ definitions });
    });
  return router;
}

function jsonSchema(schema: JobDefinition['input']): unknown {
  if (schema['~standard'].vendor !== 'zod') return null;
  try {
    return z.toJSONSchema(schema as unknown as z.ZodType, { io: 'input' });
  } catch {
    // A schema that JSON Schema cannot say (a transform, say): the data is entered as JSON.
    return null;
  }
}
