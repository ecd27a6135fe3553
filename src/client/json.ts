declare const notJson: unique symbol;

/** Marks data that cannot be sent, because JSON has no form for `T`: a schema would get something else, or nothing. */
export interface NotJson<T> {
  readonly [notJson]: T;
}

/** Types of values that do not survive JSON. */
export type NoJson =
  | Date
  | bigint
  | symbol
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | ((...args: never[]) => unknown);

/**
 * A value after its way through JSON: a `Date` is a string, a map or set is an empty object, a function is missing. The
 * service has the same type: `Jsonify` in src/shared/jobs/types.ts.
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
