import { readdirSync } from 'node:fs';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import { type AnyJobs, createClient, type Job, type JobMap } from '../../src/client/index.js';
import type { DataOf, ResultOf } from '../../src/client/jobs.js';
import { defineJob } from '../../src/shared/jobs/definition.js';
import type checksum from '../../src/worker/jobs/checksum.js';
import type csvImport from '../../src/worker/jobs/csv-import.js';
import type imageVariant from '../../src/worker/jobs/image-variant.js';
import type imageVariants from '../../src/worker/jobs/image-variants.js';
import type mandelbrot from '../../src/worker/jobs/mandelbrot.js';
import type steps from '../../src/worker/jobs/steps.js';

/** The built-in definitions. */
interface Defined {
  checksum: typeof checksum;
  'csv-import': typeof csvImport;
  'image-variant': typeof imageVariant;
  'image-variants': typeof imageVariants;
  mandelbrot: typeof mandelbrot;
  steps: typeof steps;
}

/** Optional fields of zod include `undefined`; those of the client do not. */
type Exact<T> =
  T extends ReadonlyArray<infer U>
    ? Array<Exact<U>>
    : T extends object
      ? { [K in keyof T]: Exact<Exclude<T[K], undefined>> | (undefined extends T[K] ? undefined : never) }
      : T;
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;

describe('the types of the client', () => {
  it('match the schemas of the built-in jobs', () => {
    type Data = { [N in keyof JobMap]: Same<Exact<JobMap[N]['data']>, Exact<DataOf<Defined, N>>> };
    type Results = { [N in keyof JobMap]: Same<Exact<JobMap[N]['result']>, Exact<ResultOf<Defined, N>>> };
    expectTypeOf<Data>().toEqualTypeOf<{ [N in keyof Defined]: true }>();
    expectTypeOf<Results>().toEqualTypeOf<{ [N in keyof Defined]: true }>();
    const names: Record<keyof JobMap | 'webhook', true> = {
      checksum: true,
      'csv-import': true,
      'image-variant': true,
      'image-variants': true,
      mandelbrot: true,
      steps: true,
      // Only Headway itself starts this job.
      webhook: true,
    };
    const files = readdirSync('src/worker/jobs').flatMap((file) => /^(.+)\.ts$/.exec(file)?.[1] ?? []);
    expect(Object.keys(names).sort()).toEqual(files.sort());
  });

  it('come from custom job definitions', () => {
    const greet = defineJob({
      name: 'greet',
      input: z.object({ name: z.string(), times: z.number().default(1), photo: z.string().optional() }),
      result: z.object({ greeted: z.number() }),
      run: () => ({ greeted: 1 }),
    });
    const client = createClient<{ greet: typeof greet }>({ url: 'http://127.0.0.1:1' });
    type Start = Parameters<typeof client.startJob<'greet'>>;
    expectTypeOf<{ name: string }>().toExtend<NonNullable<Start[1]>>();
    expectTypeOf<{ name: string; photo: Blob }>().toExtend<NonNullable<Start[1]>>();
    expectTypeOf<{ name: number }>().not.toExtend<NonNullable<Start[1]>>();
    expectTypeOf<ReturnType<typeof client.startJob<'greet'>>>().toEqualTypeOf<
      Promise<Job<{ greeted: number }>>
    >();
    expectTypeOf<Parameters<typeof client.startJob>[0]>().toEqualTypeOf<'greet'>();
    expect(client.startJob).toBeTypeOf('function');
  });

  it('allow any name and data for a client of any jobs', () => {
    const client = createClient<AnyJobs>({ url: 'http://127.0.0.1:1' });
    expectTypeOf<Parameters<typeof client.startJob<'other'>>[1]>().toBeUnknown();
    expectTypeOf<ReturnType<typeof client.startJob<'other'>>>().toEqualTypeOf<Promise<Job<unknown>>>();
  });
});
