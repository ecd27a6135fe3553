import type { IncomingMessage } from 'node:http';
import { HeadwayError } from '../../shared/errors.js';
import type { Config } from '../../shared/process/config.js';
import { exemptFromRequestTimeout } from './request-timeout.js';

export interface UploadLimits {
  /**
   * An upload that sends less than 1 KiB per second for `STALL_TIMEOUT_MS` is ended. When the process stops, uploads have
   * `SHUTDOWN_GRACE_MS` to finish.
   */
  config: Pick<Config, 'STALL_TIMEOUT_MS' | 'SHUTDOWN_GRACE_MS'>;
  stopping: () => boolean;
}

/** An upload in progress. */
export interface Upload {
  /** Aborted with a HeadwayError when the upload has stalled, or when the process cannot wait for it any longer. */
  signal: AbortSignal;
  /** Ends the checks. Call it when the upload has ended. */
  end(): void;
}

/** How often uploads are checked, in ms. */
const CHECK_MS = 500;
/** An upload is refused this long before the end of the grace period, in ms: its client has to get the answer. */
const LEAVE_MS = 3 * CHECK_MS;
/** The lowest average rate, in bytes per second. Without one, a byte now and then would keep an upload open forever. */
const MIN_RATE = 1024;

/**
 * Lets an upload take as long as it makes progress: Node's limit for requests is too short for a large file. An upload
 * without progress is ended here instead.
 */
export function watchUpload(req: IncomingMessage, { config, stopping }: UploadLimits): Upload {
  const { STALL_TIMEOUT_MS: stallMs, SHUTDOWN_GRACE_MS: graceMs } = config;
  const endExemption = exemptFromRequestTimeout(req);
  const abort = new AbortController();
  let progressAt = performance.now();
  let stopsAt: number | undefined;
  // The rate is measured in consecutive windows of `stallMs`.
  let windowAt = progressAt;
  let windowBytes = 0;
  const onData = (chunk: Buffer): void => {
    progressAt = performance.now();
    windowBytes += chunk.length;
  };
  /** Whether a window has ended and too little has arrived in it. */
  const isTooSlow = (now: number): boolean => {
    const passed = now - windowAt;
    if (passed < stallMs) return false;
    const slow = windowBytes < (MIN_RATE * passed) / 1000;
    windowAt = now;
    windowBytes = 0;
    return slow;
  };
  req.on('data', onData);
  const timer = setInterval(
    () => {
      const now = performance.now();
      // The request is paused: the client is waiting for our disk.
      if (req.readableFlowing === false) {
        progressAt = windowAt = now;
        windowBytes = 0;
      }
      if (stopping()) stopsAt ??= now + graceMs - LEAVE_MS;
      if (now - progressAt > stallMs) abort.abort(stalled('nothing', stallMs));
      else if (isTooSlow(now)) abort.abort(stalled('less than 1 KiB per second', stallMs));
      else if (stopsAt !== undefined && now >= stopsAt) abort.abort(stopped());
    },
    Math.min(CHECK_MS, stallMs / 4),
  );
  return {
    signal: abort.signal,
    end() {
      endExemption();
      clearInterval(timer);
      req.off('data', onData);
    },
  };
}

const stalled = (sent: string, ms: number): HeadwayError =>
  new HeadwayError('upload-stalled', `The upload sent ${sent} for ${ms / 1000} s. Nothing was stored.`);

const stopped = (): HeadwayError =>
  new HeadwayError('unavailable', 'The process is stopping. Nothing was stored. Upload the file again.');
