import { call, type RetryListener, type ServiceOptions } from './http.js';
import type { NoJson, NotJson } from './json.js';
import type { UploadedFile } from './types.js';

/** Content that can be uploaded: a file from a form field, a Node `Buffer` or stream, or any bytes. */
export type Upload = Blob | Uint8Array | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/** Data in which each file id may be replaced by the file itself. Data that JSON has no form for does not compile. */
export type WithFiles<T> = string extends T
  ? T | Upload
  : T extends string | number | boolean | null | undefined
    ? T
    : T extends NoJson
      ? NotJson<T>
      : { [K in keyof T]: WithFiles<T[K]> };

/** Options of an upload. */
interface UploadOptions {
  signal?: AbortSignal | undefined;
  onRetry?: RetryListener | undefined;
}

const isUpload = (value: object): value is Upload =>
  value instanceof Blob ||
  value instanceof Uint8Array ||
  Symbol.asyncIterator in value ||
  'getReader' in value;

/** The name of a file: its own (`File`), or the end of its path (a Node stream). */
const nameOf = (content: Upload): string => {
  const { name, path } = content as { name?: unknown; path?: unknown };
  return String(name || path || 'file').replace(/.*[/\\]/, '') || 'file';
};

/** Uploads a file. @throws ProblemError `file-too-large`, `disk-full` and others */
export async function upload(
  service: ServiceOptions,
  content: Upload,
  { name = nameOf(content), signal, onRetry }: { name?: string } & UploadOptions = {},
): Promise<UploadedFile> {
  const response = await call(service, `v1/files?name=${encodeURIComponent(name)}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/octet-stream' },
    body: content as BodyInit,
    signal,
    onRetry,
    // A stream cannot be read a second time.
    tries: content instanceof Blob || content instanceof Uint8Array ? 3 : 0,
  });
  return (await response.json()) as UploadedFile;
}

/** Uploads the files in a job's data, at any depth. Returns the data with the files' ids in their place. */
export async function uploadAll(
  service: ServiceOptions,
  data: unknown,
  options: UploadOptions,
): Promise<unknown> {
  if (data === null || typeof data !== 'object') return data;
  if (isUpload(data)) return (await upload(service, data, options)).id;
  if (Array.isArray(data)) return Promise.all(data.map((value) => uploadAll(service, value, options)));
  // A value with its own JSON form (a Date) keeps it.
  if ('toJSON' in data) return data;
  const entries = Object.entries(data).map(async ([key, value]) => [
    key,
    await uploadAll(service, value, options),
  ]);
  return Object.fromEntries(await Promise.all(entries));
}
