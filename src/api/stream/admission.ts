import { readFileSync } from 'node:fs';
import type { Request, Response } from 'express';
import { HeadwayError } from '../../shared/errors.js';
import type { Access } from '../auth/access.js';
import { onEnded } from '../exchange/exchange.js';
import type { AtOnce } from '../limits/at-once.js';
import type { Callers } from '../limits/caller.js';
import type { StreamOpens } from '../limits/stream-opens.js';

/** When to try again while a process has as many streams as it may, in ms. */
const RETRY_AFTER_MS = 5000;
/** The share of a process's open files that may be streams. */
const STREAM_SHARE = 0.75;

/** The limits that count a stream: a dashboard or overview counts as both. */
export type StreamKind = 'streams' | 'dashboards';

export interface AdmissionOptions {
  access: Pick<Access, 'knownCaller'>;
  callers: Callers;
  atOnce: AtOnce;
  opens: StreamOpens;
  /** Maximum number of streams in this process; 0 for none. */
  maxStreams: number;
}

/** A request for a stream that counts, also while it waits and until its connection is closed. */
export interface AdmittedStream {
  /**
   * Counts the stream as one of its caller, who has been identified.
   * @throws HeadwayError `quota-exceeded` if the caller has as many as it may, `rate-limited` if it has opened too many
   */
  countFor(limit: StreamKind): void;
}

/** Limits the streams of this process, of each address and of each caller, and how often they are opened. Needs no round trip. */
export class StreamAdmission {
  private open = 0;
  /** Shared by all streams: a closure in `accept` would keep each request in memory as long as its stream. */
  private readonly leave = (): void => {
    this.open--;
  };

  constructor(private readonly options: AdmissionOptions) {}

  /**
   * Counts a new request for a stream.
   * @throws HeadwayError `unavailable` if this process, `quota-exceeded` if the address has as many as it may; `rate-limited`
   *   if the address has opened too many
   */
  accept(req: Request, res: Response): AdmittedStream {
    const { callers, maxStreams } = this.options;
    if (maxStreams > 0 && this.open >= maxStreams) {
      throw new HeadwayError(
        'unavailable',
        `This process has as many open streams as it may: ${maxStreams}. Try again in ${RETRY_AFTER_MS / 1000} seconds.`,
        undefined,
        { members: { max: maxStreams, retryAfterMs: RETRY_AFTER_MS } },
      );
    }
    const address = callers.address(req);
    const giveBack = address === undefined ? undefined : this.holdFor(address);
    this.open++;
    onEnded(res, this.leave);
    if (giveBack) onEnded(res, giveBack);
    const counted = new Set<StreamKind>();
    return {
      countFor: (limit) => {
        // A stream that waited for Redis is admitted again.
        if (!counted.has(limit)) this.countFor(limit, req, res);
        counted.add(limit);
      },
    };
  }

  /** Counts a stream of an address. @returns gives it back */
  private holdFor(address: string): () => void {
    const { atOnce, opens } = this.options;
    const giveBack = atOnce.holdStreamOf(address);
    try {
      opens.countOf(address);
      return giveBack;
    } catch (error) {
      giveBack();
      throw error;
    }
  }

  private countFor(limit: StreamKind, req: Request, res: Response): void {
    const { access, callers, atOnce, opens } = this.options;
    const caller = callers.caller(req, access.knownCaller(req));
    if (caller.exempt) return;
    onEnded(res, atOnce.hold(limit, caller));
    opens.count(limit, caller, res);
  }
}

/**
 * Returns how many streams a process may have: each takes a file, and others are needed for Redis, uploads and requests.
 * @param configured `LIMIT_STREAMS_PROCESS`
 */
export function maxStreamsOfProcess(configured: number): number {
  if (configured === 0) return 0;
  const files = openFilesLimit();
  return files === undefined ? configured : Math.min(configured, Math.floor(files * STREAM_SHARE));
}

/** Reads the limit of open files (`ulimit -n`); `undefined` if it is unknown, as on systems other than Linux. */
function openFilesLimit(): number | undefined {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}
