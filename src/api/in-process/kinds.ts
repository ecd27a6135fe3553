import type { JobDefinition } from '../../shared/jobs/definition.js';
import type { EventValues, JobInput, JobResult, NoEvents } from '../../shared/jobs/types.js';

/** What an application passes as `jobs`: definitions, and folders of job files. */
export type JobList = ReadonlyArray<JobDefinition | string>;

/** Any text. Unlike `string`, it keeps the names beside it in a union, which an editor then offers. */
type AnyName = string & Record<never, never>;

/**
 * The names of the kinds of job in a list. If it contains a folder of job files, or a definition whose type has no name, any
 * name is possible.
 */
export type NameOf<J extends JobList> = J[number] extends infer D
  ? D extends { name: infer N extends string }
    ? string extends N
      ? AnyName
      : N
    : AnyName
  : never;

/** The definition of a kind that is given by its definition or name; `undefined` for a name that the list does not know. */
type DefinitionOf<J extends JobList, K> = K extends string
  ? string extends K
    ? undefined
    : [Extract<J[number], { name: K }>] extends [never]
      ? undefined
      : Extract<J[number], { name: K }>
  : K;

type DataOf<D> = D extends JobDefinition<infer I> ? JobInput<I> : unknown;
export type ResultOf<J extends JobList, K> =
  DefinitionOf<J, K> extends JobDefinition<infer _I, infer O> ? JobResult<O> : unknown;
export type EventsOf<J extends JobList, K> =
  DefinitionOf<J, K> extends JobDefinition<infer _I, infer _O, infer E> ? EventValues<E> : NoEvents;

/** The arguments of `startJob` after the kind. Data that may be `{}` can be left out. */
export type StartArguments<J extends JobList, K, Options> =
  Record<never, never> extends DataOf<DefinitionOf<J, K>>
    ? [data?: DataOf<DefinitionOf<J, K>>, options?: Options]
    : [data: DataOf<DefinitionOf<J, K>>, options?: Options];
