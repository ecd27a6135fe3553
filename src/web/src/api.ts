import { isPassing, ProblemError } from '../../client/errors.js';
import { type Call, call } from '../../client/http.js';
import type { JobView, UploadedFile } from '../../client/types.js';
import type { HistoryView, Range } from '../../shared/dashboard/hours.js';
import { ROOT, service } from './service';
import { fill, words } from './words';

/** A kind of job, as `GET /v1/definitions` lists it. */
export interface Definition {
  name: string;
  description?: string;
  input: JsonSchema | null;
  stages?: string[];
  /** Whether the caller may start it. Releases before `ANONYMOUS` do not say. */
  startable?: boolean;
}

/** The part of JSON Schema that the form supports. */
export interface JsonSchema {
  type?: string;
  format?: string;
  enum?: unknown[];
  default?: unknown;
  examples?: unknown[];
  description?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  properties?: Record<string, JsonSchema>;
  required?: string[];
}

export interface StartedJob {
  id: string;
  name: string;
}

/** A page of jobs; `next` is the cursor of the following page. */
export interface JobPage {
  jobs: JobView[];
  next?: string;
}

/** The time after which a start without a response counts as failed, in ms. */
const START_MS = 10_000;

/** Whether an error is temporary: the service, or something it needs, is unreachable. */
export const isUnavailable = (error: unknown): boolean =>
  error instanceof ProblemError ? isPassing(error) : (error as Error | null)?.name === 'TimeoutError';

/** Returns the message to show for an error. */
export function problemMessage(error: unknown): string {
  // The caller has reached a limit: the message says which one.
  if (error instanceof ProblemError && error.status === 429) return error.message;
  if (isUnavailable(error)) return words.common.unreachable;
  if (error instanceof SyntaxError) return fill(words.common.invalidJson, { reason: error.message });
  return error instanceof Error ? error.message : String(error);
}

/** Whether a call was refused because the caller has to sign in. */
export const needsSignIn = (error: unknown): boolean =>
  error instanceof ProblemError && error.code === 'sign-in';

/** The messages for single fields of the body, by JSON Pointer. */
export const problemFields = (error: unknown): Record<string, string> =>
  error instanceof ProblemError
    ? Object.fromEntries((error.problem.errors ?? []).map(({ pointer, detail }) => [pointer, detail]))
    : {};

/** Requests the ended jobs of each hour. @param name only this kind of job; empty for all. @throws ProblemError */
export function fetchHistory(range: Range, name: string, signal: AbortSignal): Promise<HistoryView> {
  const query = new URLSearchParams({ range, ...(name ? { name } : {}) });
  return request<HistoryView>(`v1/dashboard/history?${query}`, { signal });
}

export async function fetchDefinitions(): Promise<Definition[]> {
  const { definitions } = await request<{ definitions: Definition[] }>('v1/definitions');
  return definitions;
}

/** Fetches a job, for admins with its data. @throws ProblemError */
export const fetchJob = (id: string): Promise<JobView> =>
  request(`v1/jobs/${encodeURIComponent(id)}?include=data`);

/**
 * @param key the same for each attempt to submit a form, so that it starts one job
 * @param title the title of the job, if it has one
 */
export function startJob(name: string, data: unknown, key: string, title?: string): Promise<StartedJob> {
  const headers = { 'Idempotency-Key': key };
  const signal = AbortSignal.timeout(START_MS);
  return request('v1/jobs', {
    method: 'POST',
    headers,
    json: { name, data, ...(title ? { options: { title } } : {}) },
    signal,
  });
}

/** Fetches the visitor's jobs, newest first. @param cursor `next` of the previous page */
export function fetchOwnJobs(limit: number, cursor?: string): Promise<JobPage> {
  return request(`v1/jobs?owner=me&limit=${limit}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`);
}

/** Runs a failed or cancelled job again, under the same id. */
export async function retryJob(id: string): Promise<void> {
  await request(`v1/jobs/${encodeURIComponent(id)}/retry`, { method: 'POST' });
}

/** Asks a job to stop. */
export async function cancelJob(id: string): Promise<void> {
  await request(`v1/jobs/${encodeURIComponent(id)}/cancel`, { method: 'POST' });
}

/** Calls the API. @param path relative to the service, without a leading slash @throws ProblemError */
export async function request<T>(path: string, options: Call = {}): Promise<T> {
  const response = await call(service, path, options);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/** Uploads a file with XMLHttpRequest, because `fetch` does not report the progress of uploads. @throws ProblemError */
export function uploadFile(file: File, onProgress: (fraction: number) => void): Promise<UploadedFile> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    const refuse = (problem = {}): void =>
      reject(
        new ProblemError({
          code: 'unreachable',
          detail: fill(words.common.uploadFailed, { status: String(xhr.status) }),
          ...problem,
          status: xhr.status,
        }),
      );
    xhr.open('POST', `${ROOT}v1/files?name=${encodeURIComponent(file.name)}`);
    xhr.setRequestHeader('Content-Type', 'application/octet-stream');
    xhr.responseType = 'json';
    xhr.upload.onprogress = (event) => onProgress(event.total ? event.loaded / event.total : 0);
    xhr.onload = () => {
      if (xhr.status === 201) resolve(xhr.response);
      else refuse(xhr.response ?? {});
    };
    xhr.onerror = () => refuse();
    xhr.send(file);
  });
}
