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

export interface UploadedFile {
  id: string;
  name: string;
  size: number;
}

/** What the API says is wrong (RFC 9457), or that it could not be reached. */
export class ApiError extends Error {
  /** Messages by JSON Pointer into the body. */
  readonly fields: Record<string, string>;

  constructor(detail: string, errors: Array<{ pointer: string; detail: string }> = []) {
    super(detail);
    this.fields = Object.fromEntries(errors.map((error) => [error.pointer, error.detail]));
  }
}

const UNREACHABLE = 'The service cannot be reached. Nothing was lost; try again in a moment.';

export async function fetchDefinitions(): Promise<Definition[]> {
  const { definitions } = await request<{ definitions: Definition[] }>('/v1/definitions');
  return definitions;
}

/** @param key the same for every try of one submission, so that it starts one job */
export function startJob(name: string, data: unknown, key: string): Promise<StartedJob> {
  return request<StartedJob>('/v1/jobs', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key },
    body: JSON.stringify({ name, data }),
  });
}

/** Asks for a job's end. */
export async function cancelJob(id: string): Promise<void> {
  await request(`/v1/jobs/${encodeURIComponent(id)}/cancel`, { method: 'POST' });
}

/** Runs a failed or cancelled job again, under the same id. */
export async function retryJob(id: string): Promise<void> {
  await request(`/v1/jobs/${encodeURIComponent(id)}/retry`, { method: 'POST' });
}

/** Calls the API. @throws ApiError */
export async function request<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await fetch(path, init).catch(() => {
    throw new ApiError(UNREACHABLE);
  });
  const body = await response.json().catch(() => ({}));
  if (!response.ok)
    throw new ApiError(body.detail ?? `The service answered ${response.status}.`, body.errors);
  return body;
}

/** Uploads a file; `fetch` cannot tell how far an upload is, so this uses XMLHttpRequest. */
export function uploadFile(file: File, onProgress: (fraction: number) => void): Promise<UploadedFile> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    xhr.open('POST', `/v1/files?name=${encodeURIComponent(file.name)}`);
    xhr.setRequestHeader('Content-Type', 'application/octet-stream');
    xhr.responseType = 'json';
    xhr.upload.onprogress = (event) => onProgress(event.total ? event.loaded / event.total : 0);
    xhr.onload = () => {
      if (xhr.status === 201) resolve(xhr.response);
      else reject(new ApiError(xhr.response?.detail ?? `The upload failed (${xhr.status}).`));
    };
    xhr.onerror = () => reject(new ApiError(UNREACHABLE));
    xhr.send(file);
  });
}
