import type { StandardSchemaV1 } from '@standard-schema/spec';

// The types that follow from the schemas of a job definition.

declare const notJson: unique symbol;

/** Marks data that cannot be sent, because JSON has no form for `T`: a schema would get something else, or nothing. */
export interface NotJson<T> {
  readonly [notJson]: T;
}

/** Types of values that do not survive JSON. */
type NoJson =
  | Date
  | bigint
  | symbol
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | ((...args: never[]) => unknown);

/** Data for a schema, which gets it from JSON. Data that JSON has no form for does not compile. */
export type JsonInput<T> = unknown extends T
  ? T
  : string extends T
    ? T
    : T extends string | number | boolean | null | undefined
      ? T
      : T extends NoJson
        ? NotJson<T>
        : { [K in keyof T]: JsonInput<T[K]> };

/**
 * A value after its way through JSON: a `Date` is a string, a map or set is an empty object, a function is missing. The
 * client, which imports nothing of the service, has the same type: `Jsonify` in src/client/json.ts.
 */
export type Jsonify<T> = unknown extends T
  ? T
  : T extends string | number | boolean | null | undefined
    ? T
    : T extends { toJSON(...args: never[]): infer J }
      ? Jsonify<J>
      : T extends bigint
        ? never
        : T extends symbol | ((...args: never[]) => unknown)
          ? undefined
          : T extends ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>
            ? Record<never, never>
            : { [K in keyof T]: Jsonify<T[K]> };

/** Schemas of custom events, by event name. */
export type EventSchemas = Record<string, StandardSchemaV1>;

/** No custom events are declared: a job may emit any. */
export type NoEvents = Record<never, never>;

/** The arguments of `ctx.emit`: one of the declared events with its data, or any event if none are declared. */
export type EmittedEvent<E> = string extends keyof E
  ? [type: string, data: unknown]
  : [keyof E] extends [never]
    ? [type: string, data: unknown]
    : {
        [K in keyof E & string]: [
          type: K,
          data: E[K] extends StandardSchemaV1 ? StandardSchemaV1.InferInput<E[K]> : never,
        ];
      }[keyof E & string];

/** The result of a kind of job, as everybody but its `run` sees it: after its way through JSON. */
export type JobResult<O extends StandardSchemaV1> = Jsonify<StandardSchemaV1.InferOutput<O>>;

/** The values of custom events, as viewers get them, by event name. */
export type EventValues<E> = string extends keyof E
  ? NoEvents
  : [keyof E] extends [never]
    ? NoEvents
    : { [K in keyof E]: E[K] extends StandardSchemaV1 ? JobResult<E[K]> : unknown };

/**
 * Carries the types of a job's result and custom events, from which functions that take the job infer them. No value has it.
 * The parameter of a method is compared in both directions, so a job of unknown types can be used as one of any.
 */
export type CarriedTypes<R, E> = { of(types: { result: R; events: E }): void }['of'];

/** The data of a kind of job, as it is started. */
export type JobInput<I extends StandardSchemaV1> = JsonInput<StandardSchemaV1.InferInput<I>>;
