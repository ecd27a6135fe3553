import { readdirSync } from 'node:fs';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Readable } from 'svelte/store';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { Ref } from 'vue';
import { z } from 'zod';
import type { createHeadway, Headway } from '../../src/api/headway.js';
import {
  type AnyJobs,
  createClient,
  type DataOf,
  type EventsOf,
  type Job,
  type JobEvent,
  type JobMap,
  type JobOf,
  type Jsonify,
  type KindsOf,
  type NameOf,
  type NoEvents,
  type NotJson,
  type ResultOf,
} from '../../src/client/index.js';
import type { JobProgress, UsedJob, useJob as useReactJob } from '../../src/client/react/index.js';
import type { jobStore } from '../../src/client/svelte/index.js';
import type { WatchedJob } from '../../src/client/view.js';
import type {
  UsedJob as UsedVueJob,
  useJob as useVueJob,
  JobProgress as VueJobProgress,
} from '../../src/client/vue/index.js';
import {
  defineExternalJob,
  defineJob,
  type JobContext,
  type JobDefinition,
} from '../../src/shared/jobs/definition.js';
import type { CarriedTypes, Jsonify as ServiceJsonify } from '../../src/shared/jobs/types.js';
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

/** A schema of any library that implements Standard Schema, with an input that differs from its output. */
const lines: StandardSchemaV1<{ text: string }, { lines: string[] }> = {
  '~standard': {
    version: 1,
    vendor: 'own',
    validate: (value) => ({ value: { lines: String((value as { text: unknown }).text).split('\n') } }),
  },
};

const jobs = {
  shop: defineJob({
    name: 'buy-all',
    input: z.object({
      items: z.array(z.string()),
      by: z.iso
        .datetime()
        .transform((text) => new Date(text))
        .optional(),
      limit: z.union([z.date(), z.string()]).optional(),
      size: z.enum(['s', 'l']).default('s'),
      pair: z.tuple([z.number(), z.string()]).optional(),
    }),
    result: z.object({ at: z.date(), prices: z.map(z.string(), z.number()), count: z.number() }),
    events: { bought: z.object({ item: z.string(), at: z.date() }), broke: z.null() },
    async run({ by }, ctx) {
      expectTypeOf(by).toEqualTypeOf<Date | undefined>();
      ctx.emit('bought', { item: 'tea', at: new Date() });
      ctx.emit('broke', null);
      // @ts-expect-error another event
      ctx.emit('sold', null);
      // @ts-expect-error other data
      ctx.emit('bought', { item: 1, at: new Date() });
      const child = await ctx.child(jobs.count, { text: 'a' });
      expectTypeOf(child).toEqualTypeOf<{ lines: string[] }>();
      expectTypeOf(await ctx.child(jobs.count, { text: 'a' }, { onFailure: 'ignore' })).toEqualTypeOf<
        { lines: string[] } | undefined
      >();
      // @ts-expect-error other data
      await ctx.child(jobs.count, { texts: 'a' });
      expectTypeOf(await ctx.child<number>('other', { any: 1 })).toBeNumber();
      takesAnyContext(ctx);
      return { at: new Date(), prices: new Map([['tea', 3]]), count: 1 };
    },
  }),
  count: defineJob({
    name: 'count',
    input: lines,
    result: lines,
    run: ({ lines }) => ({ text: lines.join() }),
  }),
  dated: defineJob({ name: 'dated', input: z.object({ at: z.date() }), result: z.null(), run: () => null }),
  ping: defineJob({
    name: 'ping',
    input: z.object({ times: z.number().optional() }),
    result: z.null(),
    run(_data, ctx) {
      ctx.emit('any.event', { without: 'a schema' });
      return null;
    },
  }),
};
const takesAnyContext = (ctx: JobContext): string => ctx.jobId;
interface Purchase {
  at: string;
  prices: Record<never, never>;
  count: number;
}
interface PurchaseEvents {
  bought: { item: string; at: string };
  broke: null;
}
type Buying = Job<Purchase, PurchaseEvents>;

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

  it('come from kinds that another program runs', () => {
    const primes = defineExternalJob({
      name: 'primes',
      input: z.object({ upTo: z.number() }),
      result: z.object({ count: z.number() }),
    });
    type Jobs = { primes: typeof primes };
    expectTypeOf<NameOf<Jobs>>().toEqualTypeOf<'primes'>();
    expectTypeOf<DataOf<Jobs, 'primes'>>().toEqualTypeOf<{ upTo: number }>();
    expectTypeOf<ResultOf<Jobs, 'primes'>>().toEqualTypeOf<{ count: number }>();
    // @ts-expect-error another program has the code
    defineExternalJob({ name: 'none', input: z.null(), result: z.null(), run: () => null });
    expect(primes).toMatchObject({ name: 'primes', external: true });
    expect(() => primes.run({ upTo: 3 }, undefined as never)).toThrow(
      '"primes" is run by a worker of another program',
    );
  });

  it('have the names in the definitions, of an object, an array, a module or with others', () => {
    expectTypeOf<NameOf<typeof jobs>>().toEqualTypeOf<'buy-all' | 'count' | 'dated' | 'ping'>();
    const list = [jobs.shop, jobs.ping, './more-jobs'] as const;
    expectTypeOf<NameOf<typeof list>>().toEqualTypeOf<'buy-all' | 'ping'>();
    expectTypeOf<NameOf<[typeof jobs.ping, typeof steps]>>().toEqualTypeOf<'ping' | 'steps'>();
    // A list of definitions of one type for all: any name.
    expectTypeOf<NameOf<JobDefinition[]>>().toEqualTypeOf<string>();
    type Module = typeof import('../../src/worker/jobs/steps.js');
    expectTypeOf<NameOf<Module>>().toEqualTypeOf<'steps'>();
    expectTypeOf<ResultOf<Module, 'steps'>>().toEqualTypeOf<{ steps: number }>();
    interface Both extends KindsOf<typeof jobs> {
      add: { data: { a: number }; result: { sum: number }; events: { carry: number } };
    }
    expectTypeOf<NameOf<Both>>().toEqualTypeOf<'buy-all' | 'count' | 'dated' | 'ping' | 'add'>();
    expectTypeOf<JobOf<'buy-all', Both>>().toEqualTypeOf<Buying>();
    expectTypeOf<EventsOf<Both, 'add'>>().toEqualTypeOf<{ carry: number }>();
    expectTypeOf<JobOf<'steps'>>().toEqualTypeOf<Job<{ steps: number }>>();
    expect(Object.keys(jobs)).toEqual(['shop', 'count', 'dated', 'ping']);
  });

  it('check data as the service gets it from JSON, and refuse what JSON cannot hold', () => {
    const client = createClient<typeof jobs>({ url: 'http://127.0.0.1:1' });
    const calls = [
      () => client.startJob('buy-all', { items: ['tea'], by: '2030-01-01T00:00:00Z', pair: [1, 'a'] }),
      () => client.startJob('buy-all', { items: [new Blob()], limit: new Date() }),
      () => client.startJob('count', { text: 'a' }),
      // Data that may be empty can be left out.
      () => client.startJob('ping'),
      () => client.startJob('ping', {}, { tags: ['a'] }),
      // @ts-expect-error no such kind of job: it is the name of the constant
      () => client.startJob('shop', { items: [] }),
      // @ts-expect-error data is missing
      () => client.startJob('buy-all'),
      // @ts-expect-error a field is missing
      () => client.startJob('buy-all', { size: 's' }),
      // @ts-expect-error no such field
      () => client.startJob('buy-all', { items: [], sizes: 's' }),
      // @ts-expect-error the schema takes a text
      () => client.startJob('buy-all', { items: [], by: new Date() }),
      // @ts-expect-error a list of two
      () => client.startJob('buy-all', { items: [], pair: [1] }),
      // @ts-expect-error the output of the schema, not its input
      () => client.startJob('count', { lines: ['a'] }),
      // @ts-expect-error no such option
      () => client.startJob('ping', {}, { tag: ['a'] }),
    ];
    type OnlyDates = { once: JobDefinition<StandardSchemaV1<{ at: Date; n: bigint }>> };
    type Never = Parameters<ReturnType<typeof createClient<OnlyDates>>['startJob']>[1];
    expectTypeOf<Never>().toEqualTypeOf<{ at: NotJson<Date>; n: NotJson<bigint> }>();
    expect(calls).toHaveLength(13);
  });

  it('have results and custom events as JSON delivers them', async () => {
    const client = createClient<typeof jobs>({ url: 'http://127.0.0.1:1' });
    const start = () =>
      client.startJob(
        'buy-all',
        { items: [] },
        {
          onEvent(event) {
            expectTypeOf(event).toEqualTypeOf<JobEvent<Purchase, PurchaseEvents>>();
            if (event.event === 'bought') expectTypeOf(event.data.data.at).toBeString();
          },
        },
      );
    expectTypeOf<Awaited<ReturnType<typeof start>>>().toEqualTypeOf<Buying>();
    expectTypeOf<Awaited<ReturnType<Buying['retry']>>['result']>().toEqualTypeOf<Purchase | undefined>();
    const read = async (job: Buying) => {
      for await (const { event, data } of job) {
        if (event === 'completed') return data.result.at.toUpperCase();
        if (event === 'bought') data.data.item.toUpperCase();
        if (event === 'log') data.message.toUpperCase();
        // @ts-expect-error no such event
        if (event === 'sold') return '';
      }
      return (await job.result()).at;
    };
    expect(read).toBeTypeOf('function');
    expectTypeOf<ResultOf<typeof jobs, 'ping'>>().toBeNull();
    expectTypeOf<EventsOf<typeof jobs, 'ping'>>().toEqualTypeOf<NoEvents>();
    // A reference keeps the types; an id has none.
    const again = (job: Buying) => client.watchJob(job);
    expectTypeOf(again).returns.toEqualTypeOf<Buying>();
    expectTypeOf(() => client.watchJob('id')).returns.toEqualTypeOf<Job>();
  });

  it('are those of the service: a date is a text there too', () => {
    interface Tree {
      at: Date;
      children: Tree[];
      text?: 'a' | undefined;
      map: Map<string, Date>;
      run(): void;
      pair: [Date, number | null];
      any: unknown;
      own: { toJSON(): { at: Date } };
    }
    expectTypeOf<Jsonify<Tree>>().toEqualTypeOf<ServiceJsonify<Tree>>();
    expectTypeOf<Jsonify<Tree>['children'][0]['pair']>().toEqualTypeOf<[string, number | null]>();
    expectTypeOf<Jsonify<Tree>['own']>().toEqualTypeOf<{ at: string }>();
    expectTypeOf<Jsonify<Tree>['text']>().toEqualTypeOf<'a' | undefined>();
    expectTypeOf<Jsonify<string & { brand: 1 }>>().toEqualTypeOf<string & { brand: 1 }>();
    const inProcess = async (headway: Headway) => {
      const job = await headway.startJob(jobs.shop, { items: [] });
      for await (const event of headway.watch(job)) {
        if (event.event === 'completed') expectTypeOf(event.data.result).toEqualTypeOf<Purchase>();
        if (event.event === 'bought')
          expectTypeOf(event.data.data).toEqualTypeOf<{ item: string; at: string }>();
        if (event.event === 'progress') expectTypeOf(event.data.percent).toEqualTypeOf<number | null>();
      }
      // @ts-expect-error the schema takes a text
      await headway.startJob(jobs.shop, { items: [], by: new Date() });
      // @ts-expect-error a schema that accepts only dates gets none from JSON
      await headway.startJob(jobs.dated, { at: new Date() });
      expectTypeOf((await headway.cancel(job)).result).toEqualTypeOf<Purchase | undefined>();
      expectTypeOf((await headway.list()).jobs[0]!.progress).toExtend<{ percent: number | null } | null>();
      // The page gets the started job, with its types.
      return job;
    };
    type Started = Awaited<ReturnType<typeof inProcess>>;
    const client = createClient({ url: 'http://127.0.0.1:1' });
    expectTypeOf((job: Started) => client.watchJob(job)).returns.toEqualTypeOf<Buying>();
  });

  it('are known in process by the name of a kind, when all jobs are definitions', () => {
    type Create = typeof createHeadway;
    const own = async (create: Create, text: string) => {
      const headway = await create({ jobs: [jobs.shop, jobs.count, jobs.ping] });
      const job = await headway.startJob('buy-all', { items: ['tea'] }, { tags: ['a'] });
      for await (const event of headway.watch(job)) {
        if (event.event === 'completed') expectTypeOf(event.data.result).toEqualTypeOf<Purchase>();
        if (event.event === 'bought') expectTypeOf(event.data.data.at).toBeString();
      }
      expectTypeOf((await headway.cancel(job)).result).toEqualTypeOf<Purchase | undefined>();
      // Data that may be empty can be left out.
      await headway.startJob('ping');
      await headway.startJob(jobs.ping);
      await headway.startJob('count', { text: 'a' });
      // A definition that is not in the list has its own types.
      await headway.startJob(jobs.dated, { at: null as never });
      // @ts-expect-error no such kind of job
      await headway.startJob('buy-al', { items: [] });
      // @ts-expect-error no such kind of job: any text
      await headway.startJob(text);
      // @ts-expect-error data is missing
      await headway.startJob('buy-all');
      // @ts-expect-error no such field
      await headway.startJob('buy-all', { items: [], sizes: 's' });
      // @ts-expect-error the schema takes a text
      await headway.startJob('buy-all', { items: [], by: new Date() });
      // @ts-expect-error no such option
      await headway.startJob('ping', {}, { tag: ['a'] });
      return headway;
    };
    const withFolder = async (create: Create, text: string) => {
      const headway = await create({ jobs: [jobs.shop, './jobs'] });
      expectTypeOf(await headway.startJob('buy-all', { items: [] })).toExtend<{
        '~types'?: CarriedTypes<Purchase, PurchaseEvents>;
      }>();
      await headway.startJob('other', { any: 1 });
      await headway.startJob(text);
      // @ts-expect-error a known kind keeps its types
      await headway.startJob('buy-all', { items: 1 });
      return headway;
    };
    const untyped = async (headway: Headway, list: JobDefinition[], create: Create) => {
      await headway.startJob('any', { any: 1 });
      await (await create({ jobs: list })).startJob('any', { any: 1 });
      const variable: Headway<[typeof jobs.shop]> = await create({ jobs: [jobs.shop] });
      await variable.startJob('buy-all', { items: [] });
      // An application can keep it in a variable that knows no jobs.
      const kept: Headway[] = [await create({ jobs: [jobs.shop] }), await withFolder(create, '')];
      return kept;
    };
    expect([own, withFolder, untyped]).toHaveLength(3);
  });

  it('reach the hooks of Vue, React and Svelte from a started job', () => {
    const hooks = (
      job: Buying,
      react: typeof useReactJob,
      vue: typeof useVueJob,
      svelte: typeof jobStore,
      bar: typeof JobProgress,
      vueBar: typeof VueJobProgress,
      ref: Ref<Buying | undefined>,
    ) => {
      const onEvent = (event: JobEvent<Purchase, PurchaseEvents>) => event.event === 'bought';
      expectTypeOf(react(job, { onEvent })).toEqualTypeOf<UsedJob<Purchase>>();
      expectTypeOf(react(undefined as Buying | undefined).result).toEqualTypeOf<Purchase | undefined>();
      expectTypeOf(vue(ref, { onEvent })).toEqualTypeOf<UsedVueJob<Purchase>>();
      expectTypeOf(vue(() => ref.value).result.value).toEqualTypeOf<Purchase | undefined>();
      expectTypeOf(svelte(job, { onEvent })).toExtend<Readable<WatchedJob<Purchase>>>();
      react(job, {
        onEvent(event) {
          if (event.event === 'bought') expectTypeOf(event.data.data.item).toBeString();
          // @ts-expect-error no such event
          return event.event === 'sold';
        },
      });
      // An id has no types, and those that are given.
      expectTypeOf(react('id').result).toBeUnknown();
      expectTypeOf(vue<{ n: number }>('id').result.value).toEqualTypeOf<{ n: number } | undefined>();
      bar({ job, children: ({ result }) => result?.at.toUpperCase() });
      const slot = new vueBar({ job }).$slots.default!;
      expectTypeOf<Parameters<typeof slot>[0]['job']>().toEqualTypeOf<WatchedJob<Purchase>>();
    };
    expect(hooks).toBeTypeOf('function');
  });

  it('allow any name and data for a client of any jobs', () => {
    const client = createClient<AnyJobs>({ url: 'http://127.0.0.1:1' });
    expectTypeOf<Parameters<typeof client.startJob<'other'>>[1]>().toBeUnknown();
    expectTypeOf<ReturnType<typeof client.startJob<'other'>>>().toEqualTypeOf<Promise<Job<unknown>>>();
  });
});
