import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Jiti } from 'jiti';
import { z } from 'zod';
import { StartError } from '../start-error.js';
import type { JobDefinition } from './definition.js';
import { eventTypeError } from './events/custom.js';
import { KEEP_MS, MAX_TIMER_MS } from './settings.js';

/** Job definitions by name. */
export type Registry = ReadonlyMap<string, JobDefinition>;

/** A job file or definition cannot be used. The message is one line: the file and the reason. */
export class RegistryError extends StartError {
  override name = 'RegistryError';
}

const standardSchema = z.custom<JobDefinition['input']>(
  (value) => typeof (value as JobDefinition['input'] | undefined)?.['~standard']?.validate === 'function',
  'must be a schema (Standard Schema: zod, valibot, arktype, …)',
);

const definitionSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]{0,59}$/, 'must be 1 to 60 lower-case letters, digits and dashes'),
    description: z.string().max(300).optional(),
    input: standardSchema,
    limits: z
      .strictObject({ anonymous: standardSchema.optional(), signedIn: standardSchema.optional() })
      .optional(),
    result: standardSchema,
    events: z
      .record(z.string(), standardSchema)
      .superRefine((events, ctx) => {
        for (const type of Object.keys(events)) {
          const message = eventTypeError(type);
          if (message) ctx.addIssue({ code: 'custom', path: [type], message });
        }
      })
      .optional(),
    stages: z.record(z.string().min(1), z.number().positive()).optional(),
    defaults: z
      .strictObject({
        attempts: z.number().int().min(1).max(1000).optional(),
        backoff: z
          .strictObject({
            type: z.enum(['fixed', 'exponential']),
            delayMs: z.number().int().nonnegative(),
            jitter: z.number().min(0).max(1).optional(),
          })
          .optional(),
        timeoutMs: z.number().int().positive().max(MAX_TIMER_MS).optional(),
        cancelGraceMs: z.number().int().nonnegative().max(MAX_TIMER_MS).optional(),
        ttlMs: z.number().int().positive().optional(),
        keepMs: z.number().int().min(KEEP_MS.min).max(KEEP_MS.max).optional(),
      })
      .optional(),
    internal: z.boolean().optional(),
    external: z.boolean().optional(),
    queue: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,60}$/, 'must be 1 to 60 letters, digits, "_" or "-"')
      .optional(),
    concurrency: z.number().int().min(1).max(1000).optional(),
    rateLimit: z
      .strictObject({ max: z.number().int().positive(), perMs: z.number().int().positive() })
      .optional(),
    thread: z.boolean().optional(),
    memoryMb: z
      .number()
      .int()
      .min(16)
      .max(1024 * 1024)
      .optional(),
    run: z.custom<JobDefinition['run']>((value) => typeof value === 'function', 'must be a function'),
  })
  .refine(({ memoryMb, thread }) => memoryMb === undefined || thread, {
    path: ['memoryMb'],
    error: 'requires thread: true, because the memory of other jobs cannot be limited',
  });

/**
 * What job files import, wherever they are: the name of the server's package, and the one before it had a name in the
 * registry.
 */
const NAMES = ['headway-jobs', 'headway'];
/** The module that they get. */
const ours = fileURLToPath(new URL(`./definition${extname(import.meta.url)}`, import.meta.url));

let jiti: Jiti | undefined;

/** Returns the loader of the operator's TypeScript and JavaScript files. It is loaded on first use, because most processes do not need it. */
export async function operatorFiles(): Promise<Jiti> {
  const { createJiti } = await import('jiti');
  jiti ??= createJiti(import.meta.url, {
    alias: {
      ...Object.fromEntries(NAMES.map((name) => [name, ours])),
      zod: fileURLToPath(import.meta.resolve('zod')),
    },
    fsCache: compiledFiles(),
  });
  return jiti;
}

/**
 * Returns the folder for compiled job files, so that a restart and each thread need not compile them again; `false` if the
 * working directory has no `node_modules`. A folder that others may write to, such as `/tmp`, must not be used.
 */
function compiledFiles(): string | false {
  const modules = resolve('node_modules');
  return existsSync(modules) && join(modules, '.cache', 'headway');
}

/** The folder of Headway's own code. */
const ownFolder = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Loads the job files in the given folders, without subfolders: `.js`, `.mjs`, `.ts` and `.mts` files that default-export
 * a definition.
 * @throws RegistryError for an unreadable folder or file, an invalid definition, or a duplicate name
 */
export async function loadRegistry(dirs: string[]): Promise<Registry> {
  const registry = new Map<string, JobDefinition>();
  const sources = new Map<string, string>();
  for (const dir of dirs) {
    for (const file of await jobFiles(resolve(dir))) {
      const definition = await loadDefinition(file);
      const other = sources.get(definition.name);
      if (other) throw new RegistryError(`two jobs are named "${definition.name}": ${other} and ${file}`);
      sources.set(definition.name, file);
      registry.set(definition.name, definition);
    }
  }
  return registry;
}

async function jobFiles(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    throw new RegistryError(`cannot read the job folder ${dir}: ${error.code ?? error.message}`);
  });
  return entries
    .filter(
      (entry) => entry.isFile() && /\.m?[jt]s$/.test(entry.name) && !/\.d\.m?ts$|\.test\./.test(entry.name),
    )
    .map((entry) => join(dir, entry.name))
    .sort();
}

const files = new WeakMap<JobDefinition, string>();

/** Returns the file that a definition was loaded from, for loading it in another thread. */
export function definitionFile(definition: JobDefinition): string {
  const file = files.get(definition);
  if (file === undefined) throw new TypeError(`the job "${definition.name}" was not loaded from a file`);
  return file;
}

/**
 * Loads one job file.
 * @throws RegistryError for an unreadable file or an invalid definition
 */
export async function loadDefinition(file: string): Promise<JobDefinition> {
  let exported: unknown;
  try {
    const native = file.startsWith(ownFolder) && file.endsWith('.js');
    const module = native
      ? await import(pathToFileURL(file).href)
      : await (await operatorFiles()).import(file);
    exported = (module as { default?: unknown }).default;
  } catch (error) {
    throw new RegistryError(`cannot load the job file ${file}: ${firstLine(error)}`, { cause: error });
  }
  const definition = checked(exported, `the job file ${file} must default-export a job definition`);
  files.set(definition, file);
  return definition;
}

/** @throws RegistryError for an invalid definition */
function checked(value: unknown, what: string): JobDefinition {
  const parsed = definitionSchema.safeParse(value);
  if (parsed.success) return value as JobDefinition;
  const [issue] = parsed.error.issues;
  const where = issue?.path.length ? `${issue.path.join('.')}: ` : '';
  throw new RegistryError(`${what}: ${where}${issue?.message}`);
}

/**
 * Creates the registry for an application that passes its definitions, and adds Headway's internal jobs.
 * @param jobs definitions, or folders of job files
 * @param builtInDir the folder of the built-in jobs; only the internal ones are used
 * @throws RegistryError for an invalid definition or a duplicate name
 */
export async function registryOf(
  jobs: ReadonlyArray<JobDefinition | string>,
  builtInDir: string,
): Promise<Registry> {
  const folders = jobs.filter((job) => typeof job === 'string');
  const registry = new Map(await loadRegistry(folders));
  const builtIn = await loadRegistry([builtInDir]);
  for (const [name, definition] of builtIn) if (definition.internal) registry.set(name, definition);
  for (const [index, job] of jobs.entries()) {
    if (typeof job === 'string') continue;
    const definition = checked(job, `jobs[${index}] must be a job definition`);
    if (registry.has(definition.name)) {
      throw new RegistryError(`two jobs are named "${definition.name}"; jobs[${index}] is the second`);
    }
    if (definition.thread) {
      const why = 'the thread of a job loads it from its file: pass its folder instead';
      throw new RegistryError(`jobs[${index}] ("${definition.name}"): ${why}`);
    }
    registry.set(definition.name, definition);
  }
  return registry;
}

const firstLine = (error: unknown): string =>
  String(error instanceof Error ? error.message : error).replace(/\n.*/s, '');
