import { UsageError } from './problem.js';
import type { Session } from './session.js';

/** A kind of job that the service offers. */
export interface Kind {
  name: string;
  /** The fields of the job's data that take an uploaded file. */
  fileFields: string[];
  /** Whether the kind declares the schema of its data. */
  described: boolean;
  queue: string;
}

interface Definition {
  name: string;
  queue: string;
  input: { properties?: Record<string, { format?: string }> } | null;
}

/** Fetches the kinds of job of the service (`GET /v1/definitions`). @throws ProblemError */
export async function readKinds({ requestJson }: Session): Promise<Kind[]> {
  const { definitions = [] }: { definitions?: Definition[] } = await requestJson('v1/definitions');
  return definitions.map(({ name, queue, input }) => ({
    name,
    queue,
    described: input?.properties !== undefined,
    fileFields: Object.entries(input?.properties ?? {}).flatMap(([field, { format }]) =>
      format === 'headway-file' ? field : [],
    ),
  }));
}

/** Finds a kind by name. @throws UsageError for an unknown name */
export function findKind(kinds: Kind[], name: string): Kind {
  const found = kinds.find((kind) => kind.name === name);
  if (found) return found;
  throw new UsageError(
    `unknown kind of job ${name}; known kinds: ${kinds.map((kind) => kind.name).join(', ')}`,
  );
}
