import type { JobDefinition } from './definition.js';

/** Returns the name of a kind of job that is given by its name or definition. */
export const kindName = (job: string | Pick<JobDefinition, 'name'>): string =>
  typeof job === 'string' ? job : job.name;
