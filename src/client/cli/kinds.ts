import { UsageError } from './problem.js';
import type { Session } from './session.js';

/** A kind of job that the service knows. */
export interface Kind {
  name: string;
  /** The fields of its data that take an uploaded file. */
  fileFields: string[];
  /** Whether the service can say what its data is. */
  described: boolean;
  queue: string;
}

interface Definition {
  name: string;
  queue: string;
  input: { properties?: Record<string, { format?: string }> } | null;
}

/** What jobs the service has (`GET /v1/definitions`). @throws ProblemError */
export async function readKinds({ askJson }: Session): Promise<Kind[]> {
  const { definitions = [] }: { definitions?: Definition[] } = await askJson('v1/definitions');
  return definitions.map(({ name, queue, input }) => ({
    name,
    queue,
    described: input?.properties !== undefined,
    fileFields: Object.entries(input?.properties ?? {}).flatMap(([field, { format }]) =>
      format === 'headway-file' ? field : [],
    ),
  }));
}

/** @throws UsageError for a name that no job has */
export function findKind(kinds: Kind[], name: string): Kind {
  const found = kinds.find((kind) => kind.name === name);
  if (found) return found;
  throw new UsageError(`there is no job ${name}; there are: ${kinds.map((kind) => kind.name).join(', ')}`);
}
