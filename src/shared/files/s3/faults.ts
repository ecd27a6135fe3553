import { HeadwayError } from '../../errors.js';
import { describePlace, type S3Place } from '../../process/files-url.js';
import { MissingPackageError } from '../../process/optional-packages.js';
import { TLS_CODE } from '../../redis/unusable.js';
import { StartError } from '../../start-error.js';

/** The storage cannot be used until a setting, a permission or the bucket is changed. The message says what, in one line. */
export class UnusableFilesError extends StartError {
  override name = 'UnusableFilesError';
}

/** The cause of an error of the storage. It has nothing of the request: the SDK's own errors carry signed headers. */
export class StorageFault extends Error {
  override name = 'StorageFault';
  constructor(
    message: string,
    /** What has to be changed, if waiting does not help. */
    readonly mistake: string | undefined,
  ) {
    super(message);
  }
}

/** What is used of the SDK's errors. The name is S3's error code. */
type SdkError = NodeJS.ErrnoException & { $metadata?: { httpStatusCode?: number }; errors?: Error[] };

/** The codes of S3 that stay the same until something is changed, and what to do. */
const CODES: ReadonlyArray<[codes: string[], advice: (place: S3Place) => string]> = [
  [['NoSuchBucket'], ({ bucket }) => `the bucket ${bucket} does not exist: create it, or correct FILES_URL`],
  [
    ['AccessDenied', 'AllAccessDisabled', 'AccountProblem', 'Forbidden'],
    () => 'access was denied: docs/operations/files.md lists the permissions that Headway needs',
  ],
  [
    [
      'InvalidAccessKeyId',
      'SignatureDoesNotMatch',
      'InvalidToken',
      'ExpiredToken',
      'InvalidClientTokenId',
      'UnrecognizedClientException',
    ],
    () =>
      'the credentials were rejected: check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN',
  ],
  [
    ['CredentialsProviderError'],
    () =>
      'no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use a role or a profile',
  ],
  [
    [
      'PermanentRedirect',
      'AuthorizationHeaderMalformed',
      'IllegalLocationConstraintException',
      'TemporaryRedirect',
    ],
    ({ region }) =>
      `the bucket is in another region than ${region ?? 'the default'}: set ?region= in FILES_URL`,
  ],
];
/** The SDK throws a plain error if it does not know the region. */
const NO_REGION = /^Region is missing/;
const FULL = new Set(['InsufficientStorage', 'QuotaExceeded', 'XMinioStorageFull']);

/** Returns the HTTP status of an answer; `undefined` if there was none. */
export const statusOf = (error: unknown): number | undefined => (error as SdkError).$metadata?.httpStatusCode;

/** Whether a server does not have an operation. */
export const isNotImplemented = (error: unknown): boolean =>
  ['NotImplemented', 'MethodNotAllowed'].includes((error as Error).name) ||
  [405, 501].includes(statusOf(error) ?? 0);

/**
 * Turns an error of the SDK into one of Headway: `unavailable`, whose cause is a {@link StorageFault}, or `disk-full`. Errors of
 * Headway are returned as they are.
 */
export function asStorageError(error: unknown, operation: string, place: S3Place): Error {
  if (error instanceof HeadwayError) return error;
  const reason = reasonOf(error as SdkError);
  const fault = new StorageFault(`${operation}: ${reason}`, mistakeIn(error as SdkError, place));
  if (FULL.has((error as Error).name) || statusOf(error) === 507) {
    return new HeadwayError('disk-full', 'The file storage is full. Nothing was stored.', undefined, {
      cause: fault,
    });
  }
  return new HeadwayError('unavailable', 'The file storage is unavailable. Try again soon.', undefined, {
    cause: fault,
  });
}

/** Returns what to change, in one line; `undefined` if the storage may be usable later without a change. */
function mistakeIn(error: SdkError, place: S3Place): string | undefined {
  const { name, message, code = '' } = error;
  const where = `cannot use the files in ${describePlace(place)}`;
  if (error instanceof MissingPackageError) return `${where}: ${message}`;
  const advice = CODES.find(([codes]) => codes.includes(name))?.[1](place);
  if (advice) return `${where}: ${advice} (${name})`;
  if (NO_REGION.test(message)) return `${where}: set ?region= in FILES_URL, or AWS_REGION`;
  if (TLS_CODE.test(code)) return `${where}: TLS failed: ${message} (${code})`;
  const status = statusOf(error) ?? 0;
  if (isNotImplemented(error)) return `${where}: the server lacks an operation that Headway needs (${name})`;
  const mayPass = status < 300 || status >= 500 || status === 408 || status === 429;
  if (mayPass || name === 'RequestTimeTooSkewed') return undefined;
  return `${where}: the server answered ${status}: ${reasonOf(error)}`;
}

function reasonOf({ name, message, code, errors, $metadata }: SdkError): string {
  // A host name with several addresses: each has its own error.
  const text = message || errors?.map((each) => each.message).join(', ') || code || 'no message';
  const status = $metadata?.httpStatusCode;
  return status === undefined ? text : `${name} (${status}): ${text}`;
}
