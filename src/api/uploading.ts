import type { IncomingMessage } from 'node:http';
import type { Config } from '../shared/config.js';
import { HeadwayError } from '../shared/errors.js';

export interface UploadLimits {
  /** An upload that sends nothing for the one is ended; when the process stops, it has the other to arrive. */
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

/**
 * Lets the body of a request take as long as it needs while it makes progress. Node's HTTP server gives a whole request five
 * minutes (`requestTimeout`), too little for a large file. That limit holds for all requests of a server, which may be an
 * application's, so this one request is taken out of Node's list; an upload that makes no progress is ended here instead.
 */
export function watchUpload(req: IncomingMessage, { config, stopping }: UploadLimits): Upload {
  const { STALL_TIMEOUT_MS: stallMs, SHUTDOWN_GRACE_MS: graceMs } = config;
  exemptFromRequestTimeout(req);
  const abort = new AbortController();
  let progressAt = Date.now();
  let stopsAt: number | undefined;
  const onData = (): void => {
    progressAt = Date.now();
  };
  req.on('data', onData);
  const timer = setInterval(
    () => {
      const now = Date.now();
      // Paused: the client is waiting for our disk.
      if (req.readableFlowing === false) progressAt = now;
      if (stopping()) stopsAt ??= now + graceMs;
      if (now - progressAt > stallMs) abort.abort(stalled(stallMs));
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

const stalled = (ms: number): HeadwayError =>
  new HeadwayError('upload-stalled', `The upload sent nothing for ${ms / 1000} s. Nothing was kept.`);

const stopped = (): HeadwayError =>
  new HeadwayError('unavailable', 'This process is stopping. Nothing was kept; upload the file again.');

/** Node puts the connection back into its list when the request is complete. */
function exemptFromRequestTimeout(req: IncomingMessage): void {
  const { parser } = req.socket as { parser?: { remove?(): void } | null };
  if (!req.complete && typeof parser?.remove === 'function') parser.remove();
}
