/** What the service says is wrong (RFC 9457); `code` is one of the table in PROTOCOL.md. */
export interface Problem {
  status: number;
  code: string;
  title?: string;
  detail?: string;
  /** What is wrong where in the body: JSON Pointers (RFC 6901). */
  errors?: Array<{ pointer: string; detail: string }>;
  [member: string]: unknown;
}

/**
 * A call or a stream that was refused, or did not come about: then `status` is 0 and `code` is `unreachable`, or
 * `not-a-stream` where something else than the service has answered.
 */
export class ProblemError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail ?? problem.title ?? `The service answered ${problem.status}.`);
    this.name = 'ProblemError';
  }

  get status(): number {
    return this.problem.status;
  }

  get code(): string {
    return this.problem.code;
  }
}

/** The job has failed. The problem is the one that its `/result` is answered with; `error` is the job's own. */
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
    /** `requested`, or `removed` by another tool. */
    readonly reason: string,
  ) {
    super({ status: 409, code: 'job-cancelled', detail: `The job was cancelled (${reason}).` });
    this.name = 'JobCancelledError';
  }
}

/** What an answer that is no success says. A proxy in between says less than the service. */
export async function problemOf(response: Response): Promise<ProblemError> {
  const body = await response.json().catch(() => undefined);
  const after = Number(response.headers.get('retry-after'));
  return new ProblemError({
    code: 'unreachable',
    ...body,
    status: response.status,
    ...(after > 0 ? { retryAfterMs: after * 1000 } : {}),
  });
}

/** The error of a call that got no answer. */
export const unreachable = (url: string, cause: unknown): ProblemError => {
  // Node says why; a browser does not.
  const why = (cause as { cause?: { code?: string } } | undefined)?.cause?.code;
  const detail = `${url} cannot be reached${why ? ` (${why})` : ''}.`;
  const error = new ProblemError({ status: 0, code: 'unreachable', detail });
  error.cause = cause;
  return error;
};

/** Whether trying again later may help. */
export const isPassing = ({ status }: ProblemError): boolean =>
  status === 0 || status === 408 || status === 425 || status === 429 || status >= 500;
