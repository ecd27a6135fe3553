/** A problem as the service describes it (RFC 9457). docs/reference/errors.md lists the codes. */
export interface Problem {
  status: number;
  code: string;
  title?: string;
  detail?: string;
  /** What is wrong in the body, by JSON Pointer (RFC 6901). */
  errors?: Array<{ pointer: string; detail: string }>;
  [member: string]: unknown;
}

/**
 * A call or stream that was refused or could not be made. If there was no response, `status` is 0 and `code` is
 * `unreachable`. If something other than Headway responded to a stream, `code` is `not-a-stream`.
 */
export class ProblemError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail ?? problem.title ?? `The service responded with status ${problem.status}.`);
    this.name = 'ProblemError';
  }

  get status(): number {
    return this.problem.status;
  }

  get code(): string {
    return this.problem.code;
  }
}

/** The job failed. The problem is the response from its `/result`; `error` is the job's own error. */
export class JobFailedError extends ProblemError {
  constructor(
    readonly jobId: string,
    readonly error: { message: string; code?: string },
  ) {
    super({ status: 409, code: 'job-failed', detail: error.message });
    this.name = 'JobFailedError';
  }
}

/** The job was cancelled. */
export class JobCancelledError extends ProblemError {
  constructor(
    readonly jobId: string,
    /** `requested`, or `removed` if another tool removed the job. */
    readonly reason: string,
  ) {
    super({ status: 409, code: 'job-cancelled', detail: `The job was cancelled (${reason}).` });
    this.name = 'JobCancelledError';
  }
}

/** The problem in an unsuccessful response. A proxy in between sends less detail than the service. */
export async function problemFrom(response: Response): Promise<ProblemError> {
  const body = await response.json().catch(() => undefined);
  const after = Number(response.headers.get('retry-after'));
  return new ProblemError({
    code: 'unreachable',
    ...body,
    status: response.status,
    ...(after > 0 ? { retryAfterMs: after * 1000 } : {}),
  });
}

/** The error of a call that got no response. */
export const unreachable = (url: string, cause: unknown): ProblemError => {
  // Node gives the reason; browsers do not.
  const why = (cause as { cause?: { code?: string } } | undefined)?.cause?.code;
  const detail = `Cannot reach ${url}${why ? ` (${why})` : ''}.`;
  const error = new ProblemError({ status: 0, code: 'unreachable', detail });
  error.cause = cause;
  return error;
};

/** Whether the same request may succeed later. */
export const isPassing = ({ status }: ProblemError): boolean =>
  status === 0 || status === 408 || status === 425 || status === 429 || status >= 500;
