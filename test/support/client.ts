import { until } from './until.js';

/** A job, as in the response to `POST /v1/jobs`. */
export interface StartedJob {
  id: string;
  name: string;
  state: string;
  token: string;
  links: { self: string; events: string; cancel: string; result: string };
}

export interface UploadedFile {
  id: string;
  name: string;
  size: number;
  sha256: string;
}

/** Returns plain HTTP calls to the API, without Headway's client. */
export function clientOf(url: string) {
  const bearer = (token: string): Record<string, string> => ({ Authorization: `Bearer ${token}` });
  return {
    post(body: unknown, headers: Record<string, string> = {}): Promise<Response> {
      return fetch(`${url}/v1/jobs`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      });
    },
    async start(name: string, data: unknown, options?: Record<string, unknown>): Promise<StartedJob> {
      const response = await this.post({ name, data, ...(options ? { options } : {}) });
      const job = (await response.json()) as StartedJob;
      if (response.status !== 202) throw new Error(`${response.status}: ${JSON.stringify(job)}`);
      return job;
    },
    /** Starts a job while Redis changes its masters: tries again after a 503, as a client does. */
    startAgain(name: string, data: unknown): Promise<StartedJob> {
      return until('a job can be started', () =>
        this.start(name, data).catch((error: Error) => {
          if (!error.message.startsWith('503: ')) throw error;
          return undefined;
        }),
      );
    },
    async upload(name: string, content: string | Uint8Array): Promise<UploadedFile> {
      const response = await fetch(`${url}/v1/files?name=${encodeURIComponent(name)}`, {
        method: 'POST',
        // The types of the DOM do not accept every Uint8Array.
        body: content as string,
      });
      if (response.status !== 201) throw new Error(`${response.status}: ${await response.text()}`);
      return (await response.json()) as UploadedFile;
    },
    cancel: (job: StartedJob): Promise<Response> =>
      fetch(`${url}${job.links.cancel}`, { method: 'POST', headers: bearer(job.token) }),
    retry: (job: StartedJob): Promise<Response> =>
      fetch(`${url}${job.links.self}/retry`, { method: 'POST', headers: bearer(job.token) }),
    get: (job: StartedJob): Promise<Response> =>
      fetch(`${url}${job.links.self}`, { headers: bearer(job.token) }),
    result: (job: StartedJob, query = ''): Promise<Response> =>
      fetch(`${url}${job.links.result}${query}`, { headers: bearer(job.token) }),
    events: (job: StartedJob): string => `${url}${job.links.events}`,
  };
}
