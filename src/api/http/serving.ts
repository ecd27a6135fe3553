import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RequestHandler } from 'express';
import { onReleased } from '../exchange/exchange.js';
import { closeConnectionAfter } from './over-http2.js';

/** How often requests in progress are counted, in ms. */
const LOOK_MS = 50;

/** Whether an API serves requests, and the requests that it is answering. */
export class Serving {
  /** `/readyz` reports that the process is not ready. Everything is still served. */
  draining = false;
  /** Responses close their connection. */
  private closing = false;
  /** No new stream is opened, and uploads have a limited time to finish. */
  stopping = false;
  private readonly inFlight = new Set<ServerResponse>();

  /** Counts each request until its response is released, and closes connections after their response once it drains. */
  readonly handler: RequestHandler = (_req, res, next) => {
    this.inFlight.add(res);
    onReleased(res, () => this.inFlight.delete(res));
    if (this.closing) closeConnectionAfter(res);
    next();
  };

  /** How many requests are being answered. */
  get open(): number {
    return this.inFlight.size;
  }

  /**
   * Makes responses close their connection.
   * @param ready whether other processes accept connections on the same port: then `/readyz` does not change
   */
  drain(ready = false): void {
    this.draining = !ready;
    this.closing = true;
    for (const res of this.inFlight) if (!res.headersSent) closeConnectionAfter(res);
  }

  /**
   * Resolves when no request is being answered. One that has just arrived counts too, so the count must be 0 twice.
   * @param signal ends the wait
   */
  async idle(signal: AbortSignal): Promise<void> {
    for (let quiet = 0; quiet < 2 && !signal.aborted; ) {
      await sleep(LOOK_MS);
      quiet = this.inFlight.size === 0 ? quiet + 1 : 0;
    }
  }
}
