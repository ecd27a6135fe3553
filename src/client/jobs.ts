import type { ResultFile } from './types.js';

/** The data and result of one kind of job. */
export interface JobTypes {
  data: unknown;
  result: unknown;
}

interface Variant {
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
 * The kinds of job that a client knows by default: the built-in ones. Add yours by declaration merging, or pass
 * `createClient<typeof jobs>()`. The built-in types are copied here so that a page needs neither their schemas nor the
 * schema library. A test checks that both agree.
 */
export interface JobMap {
  checksum: {
    data: { file: string; algorithm?: Digest };
    result: { algorithm: Digest; digest: string; bytes: number };
  };
  'csv-import': {
    data: {
      file: string;
      delimiter?: string;
      encoding?: Encoding;
      header?: 'first' | 'none';
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
  'image-variant': {
    data: { file: string; variants?: Variant[] };
    result: {
      variants: Array<{ width: number; height: number; frames?: number; file: ResultFile }>;
      failed: Array<{ variant: string; reason: string }>;
      frames?: number;
    };
  };
  'image-variants': {
    data: { file: string; variants?: Variant[] };
    result: {
      images: number;
      variants: number;
      failed: Array<{ name: string; variant?: string; reason: string }>;
      notListed?: number;
      firstFrameOnly?: Array<{ name: string; frames: number; variants: number }>;
      archive: ResultFile;
    };
  };
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
  steps: {
    data: { count: number; intervalMs: number; failAt?: number };
    result: { steps: number };
  };
}

/** The part of a Standard Schema that declares its types. */
interface Schema<I, O> {
  readonly '~standard': { readonly types?: { readonly input: I; readonly output: O } | undefined };
}

/** Types for a client: job definitions by name (`typeof jobs`), or {@link JobTypes} by name. */
export type Jobs = object;

/** Types for a client that starts jobs of any name, with any data. */
export type AnyJobs = Record<string, JobTypes>;

/** The data of a kind of job; `unknown` for an unknown kind. */
export type DataOf<J, N> = N extends keyof J
  ? J[N] extends { input: Schema<infer I, unknown> }
    ? I
    : J[N] extends { data: infer D }
      ? D
      : unknown
  : unknown;

/** The result of a kind of job; `unknown` for an unknown kind. */
export type ResultOf<J, N> = N extends keyof J
  ? J[N] extends { result: Schema<unknown, infer O> }
    ? O
    : J[N] extends { result: infer R }
      ? R
      : unknown
  : unknown;
