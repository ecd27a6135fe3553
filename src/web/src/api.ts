import { isPassing, ProblemError } from '../../client/errors.js';
import { type Call, call } from '../../client/http.js';
import type { JobView, UploadedFile } from '../../client/types.js';
import { ROOT, service } from './service';

/** A kind of job, as `GET /v1/definitions` lists it. */
export interface Definition {
  name: string;
  description?: string;
  input: JsonSchema | null;
  stages?: string[];
}

/** As much of JSON Schema as the form understands. */
export interface JsonSchema {
  type?: string;
  format?: string;
  enum?: unknown[];
  default?: unknown;
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

/** A page of jobs; `next` leads to the one after it. */
export interface JobPage {
  jobs: JobView[];
  next?: string;
}

/** A service that has not answered a start by then is away, in ms. */
const START_MS = 10_000;

/** Whether an error only says that the service, or what it needs, is away: trying again later helps. */
export const isUnavailable = (error: unknown): boolean =>
  error instanceof ProblemError ? isPassing(error) : (error as Error | null)?.name === 'TimeoutError';

/** What went wrong, for people. */
export function problemWords(error: unknown): string {
  if (isUnavailable(error)) return 'The service cannot be reached. Nothing was lost; try again in a moment.';
  if (error instanceof SyntaxError) return `This is not JSON: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}

/** What is wrong with which part of the body: messages by JSON Pointer. */
export const problemFields = (error: unknown): Record<string, string> =>
  error instanceof ProblemError
    ? Object.fromEntries((error.problem.errors ?? []).map(({ pointer, detail }) => [pointer, detail]))
    : {};

export async function fetchDefinitions(): Promise<Definition[]> {
  const { definitions } = await request<{ definitions: Definition[] }>('v1/definitions');
  return definitions;
}

/** @param key the same for every try of one submission, so that it starts one job */
export function startJob(name: string, data: unknown, key: string): Promise<StartedJob> {
  const headers = { 'Idempotency-Key': key };
  const signal = AbortSignal.timeout(START_MS);
  return request('v1/jobs', { method: 'POST', headers, json: { name, data }, signal });
}

/** The visitor's own jobs, newest first. @param cursor `next` of the page before */
export function fetchOwnJobs(limit: number, cursor?: string): Promise<JobPage> {
  return request(`v1/jobs?owner=me&limit=${limit}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`);
}

/** Runs a failed or cancelled job again, under the same id. */
export async function retryJob(id: string): Promise<void> {
  await request(`v1/jobs/${encodeURIComponent(id)}/retry`, { method: 'POST' });
}

/** Calls the API. @param path relative to the service, without a slash in front. @throws ProblemError */
export async function request<T>(path: string, options: Call = {}): Promise<T> {
  const response = await call(service, path, options);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/** Uploads a file; `fetch` cannot tell how far an upload is, so this uses XMLHttpRequest. @throws ProblemError */
export function uploadFile(file: File, onProgress: (fraction: number) => void): Promise<UploadedFile> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    const refuse = (problem = {}): void =>
      reject(
        new ProblemError({
          code: 'unreachable',
          detail: `The upload failed (${xhr.status}).`,
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
