import type { IncomingMessage } from 'node:http';
import { HeadwayError } from '../../shared/errors.js';
import type { Config } from '../../shared/process/config.js';

export interface UploadLimits {
  /**
   * An upload that sends nothing, or less than 1 KiB per second, for the one is ended; when the process stops, it has the
   * other to arrive.
   */
  config: Pick<Config, 'STALL_TIMEOUT_MS' | 'SHUTDOWN_GRACE_MS'>;
  stopping: () => boolean;
}

/** An upload that is under way. */
export interface Upload {
  /** Aborted, with a HeadwayError as its reason, when the upload has stalled or the process has no more time for it. */
  signal: AbortSignal;
  /** It has ended, one way or another. */
  end(): void;
}

const CHECK_MS = 500;
/** The least average rate, in bytes per second. A client that sends a byte now and then would keep its upload for ever. */
const LEAST_RATE = 1024;

/**
 * Lets the body of a request take as long as it needs while it makes progress. Node's HTTP server gives a whole request five
 * minutes (`requestTimeout`), too little for a large file. That limit holds for all requests of a server, which may be an
 * application's, so this one request is taken out of Node's list; an upload that makes no progress is ended here instead.
 */
export function watchUpload(req: IncomingMessage, { config, stopping }: UploadLimits): Upload {
  const { STALL_TIMEOUT_MS: stallMs, SHUTDOWN_GRACE_MS: graceMs } = config;
  exemptFromRequestTimeout(req);
  const abort = new AbortController();
  let progressAt = performance.now();
  let stopsAt: number | undefined;
  // The rate is taken over windows of `stallMs`, one after another.
  let windowAt = progressAt;
  let windowBytes = 0;
  const onData = (chunk: Buffer): void => {
    progressAt = performance.now();
    windowBytes += chunk.length;
  };
  /** Whether a window is over in which too little came. */
  const isTooSlow = (now: number): boolean => {
    const passed = now - windowAt;
    if (passed < stallMs) return false;
    const slow = windowBytes < (LEAST_RATE * passed) / 1000;
    windowAt = now;
    windowBytes = 0;
    return slow;
  };
  req.on('data', onData);
  const timer = setInterval(
    () => {
      const now = performance.now();
      // Paused: the client is waiting for our disk.
      if (req.readableFlowing === false) {
        progressAt = windowAt = now;
        windowBytes = 0;
      }
      if (stopping()) stopsAt ??= now + graceMs;
      if (now - progressAt > stallMs) abort.abort(stalled('nothing', stallMs));
      else if (isTooSlow(now)) abort.abort(stalled('less than 1 KiB per second', stallMs));
      else if (stopsAt !== undefined && now >= stopsAt) abort.abort(stopped());
    },
    Math.min(CHECK_MS, stallMs / 4),
  );
  return {
    signal: abort.signal,
    end() {
      clearInterval(timer);
      req.off('data', onData);
    },
  };
}

const stalled = (sent: string, ms: number): HeadwayError =>
  new HeadwayError('upload-stalled', `The upload sent ${sent} for ${ms / 1000} s. Nothing was kept.`);

const stopped = (): HeadwayError =>
  new HeadwayError('unavailable', 'This process is stopping. Nothing was kept; upload the file again.');

/** Node puts the connection back into its list when the request is complete. */
function exemptFromRequestTimeout(req: IncomingMessage): void {
  const { parser } = req.socket as { parser?: { remove?(): void } | null };
  if (!req.complete && typeof parser?.remove === 'function') parser.remove();
}
