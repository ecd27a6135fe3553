import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FOLDERS, manifestOf, nameOf } from '../../scripts/lib/npm-packages.mjs';
import { block } from '../support/documentation.js';
import { openEditor } from '../support/editor.js';
import type { Headway } from '../support/headway.js';
import { packedProject } from '../support/project.js';
import { borrowHeadway } from '../support/shared-headway.js';

const run = promisify(execFile);
/**
 * The programs of these tests are strings. They are written into a project with the packed package, and some contain
 * type errors on purpose.
 */
const DOM = ['DOM', 'DOM.Iterable', 'DOM.AsyncIterable'];
/** A program that uses the client. */
const TYPED = `
import { createClient, JobFailedError, type JobEvent } from 'headway-client';
import { JobProgressElement } from 'headway-client/element';
import { en, type Labels, stateLabel } from 'headway-client/labels';
import de from 'headway-client/labels/de';
import ja from 'headway-client/labels/ja';
import { HeadwayProvider, JobProgress, useHeadway as useReactHeadway, useJob as useReactJob } from 'headway-client/react';
import { channelStore, jobStore } from 'headway-client/svelte';
import { headway, useHeadway as useVueHeadway, useJob as useVueJob } from 'headway-client/vue';

declare module 'headway-client' {
  interface JobMap {
    greet: { data: { names: string[] }; result: { greeted: number } };
  }
}

const client = createClient({ url: 'http://127.0.0.1:3000' });
export async function main(file: File): Promise<number> {
  const imported = await client.startJob('csv-import', { file, delimiter: ';' });
  const { rows, database }: { rows: number; database: { href: string } } = await imported.result();
  // @ts-expect-error no such field
  await client.startJob('steps', { counts: 3 });
  // @ts-expect-error no such kind of job
  await client.startJob('stepz', { count: 3, intervalMs: 1 });
  const greet = await client.startJob('greet', { names: ['Ada'] }, { tags: ['eu'], onProgress: ({ percent }) => percent });
  for await (const event of greet) {
    if (event.event === 'log') event.data.message.toUpperCase();
    if (event.event === 'completed') return event.data.result.greeted + rows + database.href.length;
  }
  const own = createClient<{ add: { data: { a: number }; result: { sum: number } } }>();
  return own.startJob('add', { a: 1 }).then((job) => job.result()).then(({ sum }) => sum);
}
interface Own { add: { data: { a: number }; result: { sum: number }; events: { carried: { digit: number } } } }
export async function start() {
  for (const mine of [useReactHeadway<Own>(), useVueHeadway<Own>()]) {
    const { sum } = await (await mine.startJob('add', { a: 1 })).result();
    sum.toFixed();
    // @ts-expect-error data is missing
    await mine.startJob('add');
    const job = await mine.startJob('add', { a: 1 });
    useReactJob(job).result?.sum.toFixed();
    useVueJob(() => job, { onEvent: ({ event, data }) => event === 'carried' && data.data.digit.toFixed() });
    jobStore(job, { client: mine }).subscribe(({ result }) => result?.sum.toFixed());
    // @ts-expect-error a number
    jobStore(job).subscribe(({ result }) => result?.sum.toUpperCase());
    // @ts-expect-error no such kind of job
    await mine.startJob('ad', { a: 1 });
  }
  // @ts-expect-error no such kind of job
  await useReactHeadway().startJob('stepz', { count: 3, intervalMs: 1 });
  // @ts-expect-error no such field
  await useVueHeadway().startJob('steps', { counts: 3 });
}
export const page = (
  <HeadwayProvider client={createClient<Own>()} labels={de}>
    <JobProgress job="steps.1" label="Steps">{({ percent, cancel }) => <b onClick={cancel}>{percent}</b>}</JobProgress>
    <JobProgress job="steps.1" labels={{ waiting: 'Attente' }} />
    <job-progress src="steps.1" label="Steps" lang="ja" labels={ja} className="wide" ref={(found) => void found?.job.percent} />
    {/* @ts-expect-error no such attribute */}
    <job-progress source="steps.1" />
  </HeadwayProvider>
);
// @ts-expect-error no such label
export const misspelt = <JobProgress job="steps.1" labels={{ waitin: 'Attente' }} />;
// @ts-expect-error labels are missing
export const incomplete: Labels = { lang: 'fr', waiting: 'Attente' };
export const french: Labels = { ...en, lang: 'fr', spokenPercent: { one: '{percent} pour cent', other: '{percent} pour cent' } };
JobProgressElement.languages.fr = french;
export const state = stateLabel(useReactJob('x'), french);
export const view = () => useReactJob<{ greeted: number }>('x').result?.greeted;
export const composable = () => useVueJob<{ greeted: number }>('x').result.value?.greeted;
export const element: typeof JobProgressElement = JobProgressElement;
export const caught = (error: unknown) => (error instanceof JobFailedError ? error.error.code : undefined);
export type Named = JobEvent['event'];
export const plugin = headway;
export const stop = jobStore<{ greeted: number }>('x').subscribe(({ result }) => result?.greeted.toFixed());
// @ts-expect-error a number
channelStore<number>('scores').subscribe(({ last }) => last?.data.toUpperCase());
`;
/** A program that is a CommonJS module. */
const COMMON = `
import headway = require('headway-client');
export async function add(): Promise<number> {
  const client = headway.createClient<{ add: { data: { a: number }; result: { sum: number } } }>();
  // @ts-expect-error no such field
  await client.startJob('add', { b: 1 });
  return (await (await client.startJob('add', { a: 1 })).result()).sum;
}
`;
/** A server that starts jobs by name. */
const IN_PROCESS = `
import { createHeadway } from 'headway-jobs/server';
import { visit } from './jobs.js';

const own = await createHeadway({ jobs: [visit] });
await own.startJob('visit', { cities: ['Oslo'] });
const others = await createHeadway({ jobs: [visit, './jobs'] });
await others.startJob('visit', { cities: ['Oslo'] });
`;
/** A job with type errors. */
const WRONG = `
import { defineJob, type JobContext } from 'headway-jobs';
import { z } from 'zod';

export const wrong = defineJob({
  name: 'wrong',
  input: z.object({ count: z.number() }),
  result: z.object({ sum: z.number() }),
  // @ts-expect-error another result
  async run({ count }, ctx) {
    // @ts-expect-error no such method
    ctx.progres(count);
    // @ts-expect-error a number
    count.toUpperCase();
    return { total: count };
  },
});
export const helper = (ctx: JobContext): boolean => ctx.signal.aborted;
`;

/** Returns what a compiler of TypeScript prints about the project of a folder: nothing if its types are right. */
async function complaints(compiler: string, folder: string): Promise<string> {
  const tsc = join(process.cwd(), 'node_modules', compiler, 'bin/tsc');
  // Several threads would each check the types that they share.
  const alone = compiler === 'typescript' ? [] : ['--singleThreaded'];
  const { stdout, stderr } = await run(process.execPath, [tsc, '-p', folder, ...alone]).catch(
    (error) => error,
  );
  return stdout + stderr;
}

describe('the packages', () => {
  let headway: Headway;
  let project: string;

  beforeAll(async () => {
    headway = await borrowHeadway();
    const packed = packedProject();
    project = packed.folder;
    packed.write('typed.tsx', TYPED);
    packed.write('common.cts', COMMON);
  });
  afterAll(() => headway.stop());

  it('works on Node: starts a job, watches it and renders a bar on the server', async () => {
    writeFileSync(
      join(project, 'main.js'),
      `
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { createSSRApp, h } from 'vue';
import { renderToString as renderVue } from 'vue/server-renderer';
import { createClient } from 'headway-client';
import 'headway-client/element';
import de from 'headway-client/labels/de';
import ja from 'headway-client/labels/ja';
import { HeadwayProvider, JobProgress as Bar, useJob } from 'headway-client/react';
import { headway, JobProgress } from 'headway-client/vue';

const client = createClient({ url: process.env.HEADWAY });
const job = await client.startJob('steps', { count: 3, intervalMs: 10 });
const events = [];
for await (const { event } of job) events.push(event);
const View = () => createElement('b', null, useJob(job.id).state);
const app = createSSRApp({ render: () => h(JobProgress, { job: job.id }) }).use(headway, { labels: de });
const bar = createElement(HeadwayProvider, { labels: ja }, createElement(Bar, { job: job.id }));
console.log(JSON.stringify({
  last: events.at(-1),
  result: await job.result(),
  react: renderToString(createElement(View)),
  bar: /aria-label="(.*?)"/.exec(renderToString(bar))[1],
  vue: /aria-label="(.*?)"/.exec(await renderVue(app))[1],
}));
`,
    );
    const { stdout } = await run(process.execPath, ['main.js'], {
      cwd: project,
      env: { PATH: process.env.PATH, HEADWAY: headway.api.url },
    });
    expect(JSON.parse(stdout)).toEqual({
      last: 'completed',
      result: { steps: 3 },
      react: '<b>unknown</b>',
      bar: '進捗',
      vue: 'Fortschritt',
    });
  });

  it.each([
    ['NodeNext', 'NodeNext'],
    ['ESNext', 'Bundler'],
  ])('has types for a strict project (module %s) without the types of Node', async (module, resolution) => {
    writeFileSync(
      join(project, 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: {
          target: 'ES2022',
          module,
          moduleResolution: resolution,
          lib: ['ES2023', ...DOM],
          types: [],
          jsx: 'react-jsx',
          strict: true,
          noEmit: true,
        },
        files: ['typed.tsx', ...(module === 'NodeNext' ? ['common.cts'] : [])],
      }),
    );
    expect(await complaints('@typescript/native', project)).toBe('');
  });

  it.each<[string, string, string, string[], string[]]>([
    ['Node16', 'Node16', '@typescript/native', [], []],
    ['ESNext', 'Bundler', '@typescript/native', [], []],
    // Classic resolution, which does not know `exports`, with the last compiler that has it. It is slow: it checks the code
    // of the other test too, and no files of packages.
    ['ESNext', 'Node10', 'typescript', DOM, ['../typed.tsx']],
  ])(
    'has types for job files, a server and a worker in a strict project (module %s, resolution %s)',
    async (module, resolution, compiler, dom, files) => {
      const jobs = join(project, 'jobs');
      mkdirSync(jobs, { recursive: true });
      writeFileSync(join(jobs, 'greet.ts'), block('own-job'));
      writeFileSync(join(jobs, 'family.ts'), block('family'));
      writeFileSync(join(jobs, 'authorize.ts'), block('authorize'));
      // JavaScript files are checked too, so an editor knows the types of `ctx`.
      writeFileSync(join(jobs, 'jobs.mjs'), `// @ts-check\n${block('express-jobs')}`);
      writeFileSync(join(jobs, 'worker.mjs'), `// @ts-check\n${block('express-worker')}`);
      writeFileSync(join(jobs, 'server.mjs'), `// @ts-check\n${block('express-server')}`);
      writeFileSync(join(jobs, 'in-process.mjs'), `// @ts-check\n${block('in-process')}`);
      writeFileSync(join(jobs, 'wrong.ts'), WRONG);
      writeFileSync(join(jobs, 'jobs.ts'), block('typed-jobs'));
      writeFileSync(join(jobs, 'page.ts'), block('typed-page'));
      writeFileSync(join(jobs, 'everywhere.ts'), block('typed-everywhere'));
      writeFileSync(join(jobs, 'trip.tsx'), block('typed-react'));
      writeFileSync(
        join(jobs, 'tsconfig.json'),
        JSON.stringify({
          compilerOptions: {
            ...{ target: 'ES2022', module, moduleResolution: resolution },
            ...(resolution === 'Node10' ? { ignoreDeprecations: '6.0' } : {}),
            ...{ lib: ['ES2023', ...dom], types: ['node'] },
            ...{ strict: true, allowJs: true, noEmit: true, skipLibCheck: true, jsx: 'react-jsx' },
          },
          include: ['.', ...files],
        }),
      );
      expect(await complaints(compiler, jobs)).toBe('');
    },
  );

  it('shows the documentation of jobs and of the client in an editor', () => {
    const folder = join(project, 'editor');
    mkdirSync(folder);
    writeFileSync(join(folder, 'jobs.ts'), block('typed-jobs'));
    writeFileSync(join(folder, 'page.ts'), block('typed-page'));
    writeFileSync(join(folder, 'server.ts'), IN_PROCESS);
    const editor = openEditor(folder, 'page.ts', 'server.ts');
    const inPage = (text: string, name: string) => editor.quickInfo('page.ts', text, name);
    expect(editor.completions('page.ts', "startJob('")).toEqual(['visit']);
    const start = inPage('client.startJob(', 'startJob');
    expect(start.documentation).toMatch(/^Starts a job\. Files in its data/);
    expect(start.type).toContain('name: "visit", data: {\n    cities: (string | Upload)[];\n}');
    expect(inPage('{ cities: [', 'cities').documentation).toBe('The cities, in the order of the visits.');
    expect(inPage('{ tags: [', 'tags').documentation).toBe('Labels by which jobs are listed.');
    const result = inPage('job.result()', 'result');
    expect(result.documentation).toMatch(/^Waits for the job's end and returns its result/);
    expect(result.type).toMatch(/Promise<\{\n\s+visited: number;\n\s+home: string;\n\}>$/);
    expect(editor.completions('page.ts', 'data.data.')).toEqual(['at', 'city']);
    expect(editor.completions('server.ts', "own.startJob('")).toEqual(['visit']);
    expect(editor.completions('server.ts', "others.startJob('")).toEqual(['visit']);
    const inServer = editor.quickInfo('server.ts', "own.startJob('visit'", 'startJob');
    expect(inServer.documentation).toMatch(/^Starts a job\. Resolves when/);
    expect(inServer.type).toContain('data: {\n    cities: string[];\n}');
    expect(inServer.type).toMatch(/Promise<StartedJob<\{\n\s+visited: number;\n\s+home: string;\n\}, /);
    const inJobs = (text: string, name: string) => editor.quickInfo('jobs.ts', text, name);
    expect(inJobs('events: {', 'events').documentation).toMatch(/^The schemas of the custom events/);
    expect(inJobs('ctx.emit(', 'emit').documentation).toMatch(/^Sends a custom event/);
    expect(editor.completions('jobs.ts', "ctx.emit('")).toEqual(['arrived']);
  });

  it('do not contain bundled packages, because their users install their own', () => {
    expect(existsSync('dist/node_modules/ioredis')).toBe(true);
    const dist = readdirSync(join(project, 'node_modules', nameOf('server'), 'dist'));
    expect(dist.sort()).toEqual(['api', 'client', 'programs', 'shared', 'web', 'worker']);
  });

  it('the server has its Lua scripts in its modules, for builds that copy only what code imports', async () => {
    const dist = join(project, 'node_modules', nameOf('server'), 'dist');
    const modules = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((path) =>
      path.endsWith('/scripts.js'),
    );
    expect(modules.length).toBeGreaterThan(10);
    for (const path of modules) {
      expect(readFileSync(join(dist, path), 'utf8')).not.toContain('luaBeside(import');
    }
    const { formatScripts } = await import(join(dist, 'shared/format/scripts.js'));
    const lua = readFileSync('src/shared/format/scripts/format.lua', 'utf8');
    expect(formatScripts.recordFormat).toEqual({ numberOfKeys: 1, lua });
  });

  it.each([
    ['client' as const, 20],
    ['server' as const, 100],
  ])('the %s has no comment that points at a source map, because it contains none', (folder, least) => {
    const files = readdirSync(join(project, 'node_modules', nameOf(folder)), {
      recursive: true,
      withFileTypes: true,
    })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    expect(files.filter((file) => file.endsWith('.map'))).toEqual([]);
    const code = files.filter((file) => /\.[cm]?js$/.test(file));
    expect(code.length).toBeGreaterThan(least);
    expect(code.filter((file) => readFileSync(file, 'utf8').includes('//# sourceMappingURL='))).toEqual([]);
  });

  it('contain code and types for each export', () => {
    for (const folder of FOLDERS) {
      for (const path of Object.values(manifestOf(folder).exports)) {
        const file = join(project, 'node_modules', nameOf(folder), path);
        expect(readFileSync(file, 'utf8').length).toBeGreaterThan(0);
        if (!path.endsWith('.js')) continue;
        expect(readFileSync(file.replace(/\.js$/, '.d.ts'), 'utf8').length).toBeGreaterThan(0);
      }
    }
  });
});
