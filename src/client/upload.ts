import { call, type RetryListener, type ServiceOptions } from './http.js';
import type { UploadedFile } from './types.js';

/** What can be sent as a file: of a form field, of Node (a Buffer, a stream), or any bytes. */
export type Upload = Blob | Uint8Array | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/** Data with a file in place of each id of one. */
export type WithFiles<T> = string extends T
  ? T | Upload
  : T extends ReadonlyArray<infer U>
    ? Array<WithFiles<U>>
    : T extends object
      ? { [K in keyof T]: WithFiles<T[K]> }
      : T;

/** For who waits for an upload. */
interface Waiting {
  signal?: AbortSignal | undefined;
  onRetry?: RetryListener | undefined;
}

const isUpload = (value: object): value is Upload =>
  value instanceof Blob ||
  value instanceof Uint8Array ||
  Symbol.asyncIterator in value ||
  'getReader' in value;

/** What a file is called: by itself (`File`), or by its path (a stream of Node's). */
const nameOf = (content: Upload): string => {
  const { name, path } = content as { name?: unknown; path?: unknown };
  return String(name || path || 'file').replace(/.*[/\\]/, '') || 'file';
};

/** Uploads a file. @throws ProblemError `file-too-large`, `disk-full` and others */
export async function upload(
  service: ServiceOptions,
  content: Upload,
  { name = nameOf(content), signal, onRetry }: { name?: string } & Waiting = {},
): Promise<UploadedFile> {
  const response = await call(service, `v1/files?name=${encodeURIComponent(name)}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/octet-stream' },
    body: content as BodyInit,
    signal,
    onRetry,
    // What has been read from a stream cannot be read again.
    tries: content instanceof Blob || content instanceof Uint8Array ? 3 : 0,
  });
  return (await response.json()) as UploadedFile;
}

/** Uploads the files in a job's data, however deep; gives the data with their ids in their place. */
export async function uploadAll(service: ServiceOptions, data: unknown, waiting: Waiting): Promise<unknown> {
  if (data === null || typeof data !== 'object') return data;
  if (isUpload(data)) return (await upload(service, data, waiting)).id;
  if (Array.isArray(data)) return Promise.all(data.map((value) => uploadAll(service, value, waiting)));
  // What says itself how it is written (a Date) is left to it.
  if ('toJSON' in data) return data;
  const entries = Object.entries(data).map(async ([key, value]) => [
    key,
    await uploadAll(service, value, waiting),
  ]);
  return Object.fromEntries(await Promise.all(entries));
}
