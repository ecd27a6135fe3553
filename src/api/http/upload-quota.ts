import type { Request, Response } from 'express';
import { HeadwayError } from '../../shared/errors.js';
import type { LimitedCaller, PrincipalToLimit } from '../limits/caller.js';
import type { Limiter } from '../limits/limiter.js';

/** What a small file counts as, in bytes: it takes inodes and a request like a large one. */
const MIN_UNITS = 1024 * 1024;
/** How many bytes of an upload of unknown length are counted at a time, unless fewer are left. */
const STEP = 16 * 1024 * 1024;

export type UploadLimiter = Pick<Limiter, 'atOnce' | 'caller' | 'max' | 'rates' | 'take'>;

/** An upload that counts for the limits of its caller. */
export interface CountedUpload {
  /** Aborted with a HeadwayError when an upload of unknown length exceeds the limit. */
  signal: AbortSignal;
  /** Counts what arrives. Call it when the body is about to be read. */
  watch(): void;
  /** Gives back what was counted and has not arrived. Call it when the upload has ended. */
  end(): void;
}

/**
 * Counts an upload for the limits of its caller: the uploads at once, and the bytes of a day.
 * @param length the Content-Length, if any
 * @throws HeadwayError `quota-exceeded`, `rate-limited`; `file-too-large` for a file that exceeds the bytes of a whole day
 */
export async function countUpload(
  limiter: UploadLimiter,
  req: Request,
  res: Response,
  principal: PrincipalToLimit | undefined,
  length: number | undefined,
): Promise<CountedUpload> {
  const caller = limiter.caller(req, principal);
  const release = caller.exempt ? () => {} : limiter.atOnce.hold('uploads', caller);
  try {
    const bytes = await countBytes(limiter, req, res, caller, length);
    return {
      ...bytes,
      end() {
        release();
        bytes.end();
      },
    };
  } catch (error) {
    release();
    throw error;
  }
}

async function countBytes(
  limiter: UploadLimiter,
  req: Request,
  res: Response,
  caller: LimitedCaller,
  length: number | undefined,
): Promise<CountedUpload> {
  const abort = new AbortController();
  const max = limiter.max('upload-bytes', caller);
  if (max === undefined) return { signal: abort.signal, watch() {}, end() {} };
  const rate = { limit: 'upload-bytes', who: caller.who, max } as const;

  let taken = Math.min(max, Math.max(MIN_UNITS, length ?? 0));
  if (length !== undefined && length > max) throw tooLarge(max);
  await limiter.take({ ...rate, units: taken }, res);
  let received = 0;
  let counting: Promise<void> | undefined;

  /** Counts what has arrived: in steps, and with less than a step left, the rest. */
  async function countMore(): Promise<void> {
    while (received > taken) {
      const { allowed, remaining } = await limiter.rates.take({ ...rate, units: STEP });
      // A process that remembers a refusal does not know what remains.
      const units = allowed ? STEP : Math.max(remaining, received - taken);
      if (!allowed) await limiter.take({ ...rate, units });
      taken += units;
    }
  }
  const onData = (chunk: Buffer): void => {
    received += chunk.length;
    if (received <= taken) return;
    counting ??= countMore()
      .catch((error) => abort.abort(error))
      .finally(() => {
        counting = undefined;
      });
  };

  async function giveBack(): Promise<void> {
    await counting;
    const spare = taken - Math.max(MIN_UNITS, received);
    if (spare > 0) await limiter.take({ ...rate, units: -spare });
  }
  return {
    signal: abort.signal,
    watch() {
      if (length === undefined) req.on('data', onData);
      else req.on('data', (chunk: Buffer) => (received += chunk.length));
    },
    end() {
      req.off('data', onData);
      // Nothing is given back while Redis does not answer: the quota fills again by itself.
      giveBack().catch(() => {});
    },
  };
}

const tooLarge = (max: number): HeadwayError =>
  new HeadwayError(
    'file-too-large',
    `The file exceeds the ${max} bytes that you may upload in a day. Nothing was stored.`,
  );
