import type { FieldError } from '../errors.js';
import type { JobDefinition } from './definition.js';
import { validate } from './schema.js';

/** Who starts a job, as far as limits depend on it. */
export interface LimitedCaller {
  admin: boolean;
  /** Whether the caller is identified by a token, and not only by the visitor cookie. */
  signedIn: boolean;
}

/** A caller of whom nothing but a cookie is known. */
export const ANONYMOUS_CALLER: LimitedCaller = { admin: false, signedIn: false };

/** What the id of a visitor begins with. */
export const VISITOR = 'visitor:';

/** Whether the owner of a job or schedule is a visitor, so not signed in. */
export const isVisitor = (owner: string | undefined): boolean => owner?.startsWith(VISITOR) ?? false;

/** Returns the schema that the data of a caller's job must match besides `input`; `undefined` if there is none. */
export function limitOf(
  { limits }: JobDefinition,
  caller: LimitedCaller,
): JobDefinition['input'] | undefined {
  if (caller.admin) return undefined;
  return (caller.signedIn ? undefined : limits?.anonymous) ?? limits?.signedIn;
}

/** Checks data against the limits of a caller. @returns the errors; an empty list if the data is within the limits */
export async function limitErrors(
  definition: JobDefinition,
  data: unknown,
  caller: LimitedCaller,
): Promise<FieldError[]> {
  const limit = limitOf(definition, caller);
  return (limit && (await validate(limit, data)).errors) ?? [];
}
