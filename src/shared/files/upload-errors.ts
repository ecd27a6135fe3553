import { HeadwayError } from '../errors.js';

export const aborted = (): HeadwayError =>
  new HeadwayError(
    'upload-aborted',
    'The connection ended before the file was complete. Nothing was stored.',
  );

export function failAsUpload(error: unknown): never {
  throw asUploadError(error);
}

export function asUploadError(error: unknown): unknown {
  if (error instanceof HeadwayError) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new HeadwayError('disk-full', 'The disk is full. Nothing was stored.', undefined, {
      cause: error,
    });
  }
  if (code === 'EMFILE' || code === 'ENFILE' || code === 'ENOMEM') {
    return new HeadwayError('unavailable', 'This process is overloaded. Nothing was stored.', undefined, {
      cause: error,
    });
  }
  if (code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ECONNRESET') return aborted();
  return error;
}
