import type { ResultFile } from './types.js';

/** Data and result of a kind of job. */
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
 * The kinds of job that a client knows unless it is told others; add yours by declaration merging, or say
 * `createClient<typeof jobs>()`. Those that Headway comes with are written down here, so that a page needs neither its
 * schemas nor their library; a test holds both together.
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

/** The part of a Standard Schema that tells its types. */
interface Schema<I, O> {
  readonly '~standard': { readonly types?: { readonly input: I; readonly output: O } | undefined };
}

/** What a client can be typed by: definitions of jobs by name (`typeof jobs`), or their {@link JobTypes}. */
export type Jobs = object;

/** The data that a kind of job takes; anything, for one that is not known. */
export type DataOf<J, N> = N extends keyof J
  ? J[N] extends { input: Schema<infer I, unknown> }
    ? I
    : J[N] extends { data: infer D }
      ? D
      : unknown
  : unknown;

/** The result that a kind of job gives. */
export type ResultOf<J, N> = N extends keyof J
  ? J[N] extends { result: Schema<unknown, infer O> }
    ? O
    : J[N] extends { result: infer R }
      ? R
      : unknown
  : unknown;
