/** Every error code with its HTTP status and title. Codes are stable: clients may rely on them. */
export const errorCodes = {
  'invalid-json': [400, 'Body is not valid JSON'],
  'invalid-request': [400, 'Invalid request'],
  'invalid-data': [422, 'Invalid job data'],
  'limit-exceeded': [422, 'Limit exceeded'],
  'unknown-job': [422, 'Unknown job type'],
  'unknown-file': [422, 'File not found'],
  'invalid-idempotency-key': [400, 'Invalid Idempotency-Key'],
  'idempotency-conflict': [409, 'Idempotency-Key already used with a different body'],
  'invalid-token': [401, 'Invalid token'],
  'sign-in': [401, 'Sign-in required'],
  forbidden: [403, 'Not allowed'],
  'cross-site': [403, 'Cross-site request refused'],
  'unknown-host': [421, 'Unknown host'],
  'not-found': [404, 'Not found'],
  'method-not-allowed': [405, 'Method not allowed'],
  'not-acceptable': [406, 'Not acceptable'],
  'not-finished': [409, 'Job has not finished'],
  'already-finished': [409, 'Job has already finished'],
  'not-failed': [409, 'Job has not failed'],
  'job-cancelled': [409, 'Job was cancelled and has no result'],
  'job-failed': [409, 'Job failed and has no result'],
  gone: [410, 'No longer available'],
  'precondition-failed': [412, 'File has changed'],
  'channel-full': [413, 'Channel full'],
  'body-too-large': [413, 'Body too large'],
  'file-too-large': [413, 'File too large'],
  'unsupported-media-type': [415, 'Unsupported media type'],
  'range-not-satisfiable': [416, 'Range not satisfiable'],
  'upload-aborted': [400, 'Incomplete upload'],
  'upload-stalled': [408, 'Upload stalled'],
  'rate-limited': [429, 'Too many requests'],
  'quota-exceeded': [429, 'Quota exceeded'],
  'disk-full': [507, 'Not enough free disk space'],
  'file-damaged': [500, 'Stored file is damaged'],
  unavailable: [503, 'Temporarily unavailable'],
  overloaded: [503, 'Overloaded'],
  internal: [500, 'Internal error'],
} as const satisfies Record<string, readonly [status: number, title: string]>;

export type ErrorCode = keyof typeof errorCodes;

/** One mistake in a request: a JSON Pointer (RFC 6901) to the value, and what is wrong with it. */
export interface FieldError {
  pointer: string;
  detail: string;
}

/** An error with a code from {@link errorCodes}. `detail` says what is wrong and how to fix it. */
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

  /** Returns the body of an `application/problem+json` response (RFC 9457, section 3). */
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

/** Thrown by a job to fail without a retry, because another attempt would fail in the same way. */
export class PermanentError extends Error {
  /** Identifies the class even if two copies of this module are loaded, for example by a job file in `JOBS_DIR`. */
  readonly permanent = true;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'PermanentError';
  }
}

/** Why a job did not complete. */
export interface JobError {
  /** The reason as text. */
  message: string;
  /** The reason as a code: one of a failed job's error codes, or `cancelled`. */
  code?: string;
}

/** A child job failed or was cancelled. `ctx.child()` rejects with this error. */
export class ChildFailedError extends Error {
  /** Identifies the class even if two copies of this module are loaded, for example by a job file in `JOBS_DIR`. */
  readonly childFailed = true;
  /** Whether the parent is not retried either: a retry would start the child again, and it would fail in the same way. */
  readonly permanent: boolean;

  constructor(
    /** The child's id. */
    readonly jobId: string,
    /** The child's kind of job. (An error's `name` is its class.) */
    readonly jobName: string,
    /** Why the child did not complete. */
    readonly error: JobError,
  ) {
    super(`child job ${jobName} (${jobId}) ${error.code === 'cancelled' ? '' : 'failed: '}${error.message}`);
    this.name = 'ChildFailedError';
    this.permanent = error.code === 'permanent';
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return (value as Partial<ChildFailedError> | null | undefined)?.childFailed === true;
  }
}
