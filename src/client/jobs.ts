import type { Jsonify } from './json.js';
import type { NoEvents, ResultFile } from './types.js';

/** The data and result of one kind of job, as JSON has them. */
export interface JobTypes {
  data: unknown;
  result: unknown;
  /** The values of its custom events, by event name. */
  events?: object;
}

interface Variant {
  /** The largest width, in pixels. */
  width?: number;
  height?: number;
  fit?: 'inside' | 'cover' | 'contain' | 'outside' | 'fill';
  format: 'jpeg' | 'png' | 'webp' | 'avif';
  quality?: number;
  suffix?: string;
}

type Digest = 'sha256' | 'sha1' | 'sha384' | 'sha512' | 'sha3-256' | 'sha3-512' | 'blake2b512' | 'md5';

type Encoding =
  | 'utf-8'
  | 'utf-16le'
  | 'utf-16be'
  | 'windows-1250'
  | 'windows-1251'
  | 'windows-1252'
  | 'windows-1253'
  | 'windows-1254'
  | 'windows-1257'
  | 'iso-8859-2'
  | 'iso-8859-15'
  | 'koi8-r'
  | 'macintosh'
  | 'cp437'
  | 'cp850'
  | 'shift_jis'
  | 'euc-jp'
  | 'gb18030'
  | 'big5'
  | 'euc-kr';

/**
 * The kinds of job that a client knows by default: the built-in ones. Add yours by declaration merging (see
 * {@link KindsOf}), or pass `createClient<typeof jobs>()`. The built-in types are copied here so that a page needs neither their schemas nor the
 * schema library. A test checks that both agree.
 */
export interface JobMap {
  /** Computes the digest of a file. */
  checksum: {
    data: {
      /** The id of an uploaded file, or the file itself. */
      file: string;
      /** Defaults to `sha256`. */
      algorithm?: Digest;
    };
    result: { algorithm: Digest; digest: string; bytes: number };
  };
  /** Imports a CSV file of any size into a SQLite file. */
  'csv-import': {
    data: {
      /** The id of an uploaded file, or the file itself. */
      file: string;
      /** Detected by default. */
      delimiter?: string;
      /** Detected by default. */
      encoding?: Encoding;
      /** Whether the first row has the names of the columns. Defaults to `first`. */
      header?: 'first' | 'none';
      /** Completes even if every row was rejected. */
      allowEmpty?: boolean;
    };
    result: {
      rows: number;
      imported: number;
      rejected: number;
      columns: Array<{ name: string; type: 'integer' | 'number' | 'boolean' | 'date' | 'text' }>;
      warnings: string[];
      database: ResultFile;
      report: ResultFile;
    };
  };
  /** Makes smaller variants of one image. */
  'image-variant': {
    data: {
      /** The id of an uploaded file, or the file itself. */
      file: string;
      variants?: Variant[];
    };
    result: {
      variants: Array<{ width: number; height: number; frames?: number; file: ResultFile }>;
      failed: Array<{ variant: string; reason: string }>;
      frames?: number;
    };
  };
  /** Makes smaller variants of an image, or of all images of a zip. */
  'image-variants': {
    data: {
      /** The id of an uploaded file, or the file itself. */
      file: string;
      variants?: Variant[];
    };
    result: {
      images: number;
      variants: number;
      failed: Array<{ name: string; variant?: string; reason: string }>;
      notListed?: number;
      firstFrameOnly?: Array<{ name: string; frames: number; variants: number }>;
      archive: ResultFile;
    };
  };
  /** Draws a picture of the Mandelbrot set. */
  mandelbrot: {
    data: {
      width?: number;
      height?: number;
      centerX?: number;
      centerY?: number;
      scale?: number;
      iterations?: number;
      tile?: number;
    };
    result: { width: number; height: number; iterations: number; image: ResultFile };
  };
  /** Counts, to try things out. */
  steps: {
    data: {
      count: number;
      /** The time of each step, in ms. */
      intervalMs: number;
      /** The number of the step that fails. */
      failAt?: number;
    };
    result: { steps: number };
  };
}

/** The part of a Standard Schema that declares its types. */
interface Schema<I, O> {
  readonly '~standard': { readonly types?: { readonly input: I; readonly output: O } | undefined };
}

/** The part of a job definition that declares its types. */
interface Definition<I, O> {
  name: string;
  input: Schema<I, unknown>;
  result: Schema<unknown, O>;
}

/**
 * Types for a client: job definitions (an object of them such as `typeof jobs`, a module that exports them, or an array), or
 * {@link JobTypes} by name.
 */
export type Jobs = object;

/** Types for a client that starts jobs of any name, with any data. */
export type AnyJobs = Record<string, JobTypes>;

/**
 * The kinds of job in {@link Jobs}, by the name in their definition. `interface JobMap extends KindsOf<typeof jobs> {}` in
 * `declare module 'headway-client'` makes them known everywhere.
 */
export type KindsOf<J> = 0 extends 1 & J
  ? AnyJobs
  : J extends ReadonlyArray<infer D>
    ? { [K in Extract<D, Definition<unknown, unknown>> as K['name']]: K }
    : { [K in keyof J as KindName<J[K], K>]: J[K] };

/** The name of a kind: that of its definition if the type has it, else its key. Whatever is no kind has none. */
type KindName<D, K> =
  D extends Definition<unknown, unknown>
    ? string extends D['name']
      ? K
      : D['name']
    : D extends { data: unknown }
      ? K
      : never;

type KindOf<J, N> = N extends keyof KindsOf<J> ? KindsOf<J>[N] : unknown;

/** The names of the kinds of job. A conditional type, so that errors list the names and not the types of the definitions. */
export type NameOf<J> = KindsOf<J> extends infer K ? keyof K & string : never;

/** The data of a kind of job; `unknown` for an unknown kind. */
export type DataOf<J, N> =
  KindOf<J, N> extends Definition<infer I, unknown>
    ? I
    : KindOf<J, N> extends { data: infer D }
      ? D
      : unknown;

/** The result of a kind of job, as it arrives in JSON; `unknown` for an unknown kind. */
export type ResultOf<J, N> =
  KindOf<J, N> extends Definition<unknown, infer O>
    ? Jsonify<O>
    : KindOf<J, N> extends { result: infer R }
      ? R
      : unknown;

/** The custom events of a kind of job: the type of the value of each, by name, as it arrives in JSON. */
export type EventsOf<J, N> =
  KindOf<J, N> extends Definition<unknown, unknown>
    ? KindOf<J, N> extends { events?: infer E }
      ? EventValues<NonNullable<E>>
      : NoEvents
    : KindOf<J, N> extends { events: infer E }
      ? E
      : NoEvents;

/** The values of events with schemas. Without known names there are none. */
type EventValues<E> = string extends keyof E
  ? NoEvents
  : [keyof E] extends [never]
    ? NoEvents
    : { [K in keyof E]: E[K] extends Schema<unknown, infer O> ? Jsonify<O> : unknown };
