/** All error codes of the API, each with its HTTP status and title. Codes are stable: clients may rely on them. */
export const errorCodes = {
  'invalid-json': [400, 'The body is not valid JSON'],
  'invalid-request': [400, 'Invalid request'],
  'invalid-data': [422, 'Invalid job data'],
  'unknown-job': [422, 'Unknown job type'],
  'unknown-file': [422, 'Unknown file'],
  'invalid-idempotency-key': [400, 'Invalid Idempotency-Key'],
  'idempotency-conflict': [409, 'The Idempotency-Key was used with another body'],
  'invalid-token': [401, 'Invalid token'],
  'sign-in': [401, 'Authentication required'],
  forbidden: [403, 'Not allowed'],
  'cross-site': [403, 'Cross-site request refused'],
  'not-found': [404, 'Not found'],
  'method-not-allowed': [405, 'Method not allowed'],
  'not-acceptable': [406, 'Not acceptable'],
  'not-finished': [409, 'The job has not finished'],
  'already-finished': [409, 'The job has already finished'],
  'not-failed': [409, 'The job has not failed'],
  'job-cancelled': [409, 'The job was cancelled and has no result'],
  'job-failed': [409, 'The job failed and has no result'],
  gone: [410, 'No longer available'],
  'precondition-failed': [412, 'Precondition failed'],
  'body-too-large': [413, 'The body is too large'],
  'file-too-large': [413, 'The file is too large'],
  'unsupported-media-type': [415, 'Unsupported media type'],
  'range-not-satisfiable': [416, 'Range not satisfiable'],
  'upload-aborted': [400, 'The upload is incomplete'],
  'upload-stalled': [408, 'The upload has stalled'],
  'disk-full': [507, 'Not enough free disk space'],
  unavailable: [503, 'Temporarily unavailable'],
  internal: [500, 'Internal error'],
} as const satisfies Record<string, readonly [status: number, title: string]>;

export type ErrorCode = keyof typeof errorCodes;

/** An invalid part of a request. `pointer` is a JSON Pointer (RFC 6901), `detail` says what is wrong. */
export interface FieldError {
  pointer: string;
  detail: string;
}

/** An error of the API. `detail` is sent to the client: it says what went wrong and how to fix it. */
export class HeadwayError extends Error {
  readonly status: number;
  /** Extension members of the problem (RFC 9457, section 3.2). */
  readonly members: Record<string, unknown>;

  constructor(
    readonly code: ErrorCode,
    readonly detail: string,
    readonly errors?: FieldError[],
    options: ErrorOptions & { members?: Record<string, unknown> } = {},
  ) {
    super(detail, options);
    this.name = 'HeadwayError';
    this.status = errorCodes[code][0];
    this.members = options.members ?? {};
  }

  /** Returns the body of an `application/problem+json` answer (RFC 9457, section 3). */
  toProblem(instance?: string): Record<string, unknown> {
    const [status, title] = errorCodes[this.code];
    return {
      type: `urn:headway:problem:${this.code}`,
      title,
      status,
      detail: this.detail,
      ...(instance ? { instance } : {}),
      code: this.code,
      ...(this.errors ? { errors: this.errors } : {}),
      ...this.members,
    };
  }
}

/** Thrown by a job whose next attempt would fail the same way: it is not retried. */
export class PermanentError extends Error {
  /** Tells it from other errors where two copies of this module are loaded (a job file in `JOBS_DIR`). */
  readonly permanent = true;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'PermanentError';
  }
}

/** What a job came to that did not complete: why in words, and for programs. */
export interface JobError {
  message: string;
  /** One of the codes of a failed job's error, or `cancelled`. */
  code?: string;
}

/** A child job failed or was cancelled: what `ctx.child()` rejects with. */
export class ChildFailedError extends Error {
  /** Tells it from other errors where two copies of this module are loaded (a job file in `JOBS_DIR`). */
  readonly childFailed = true;
  /** Running the parent again would start the child again, which would fail the same way. */
  readonly permanent: boolean;

  constructor(
    /** The child's id. */
    readonly jobId: string,
    /** Which kind of job it is. (An error's `name` is its class.) */
    readonly jobName: string,
    /** What the child came to. */
    readonly error: JobError,
  ) {
    super(`its child ${jobName} (${jobId}) ${error.code === 'cancelled' ? '' : 'failed: '}${error.message}`);
    this.name = 'ChildFailedError';
    this.permanent = error.code === 'permanent';
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return (value as Partial<ChildFailedError> | null | undefined)?.childFailed === true;
  }
}
