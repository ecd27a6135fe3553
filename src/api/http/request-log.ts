import { isIP } from 'node:net';
import type { Request, RequestHandler } from 'express';
import type { Config } from '../../shared/process/config.js';
import type { Logger } from '../../shared/process/log.js';
import type { Act } from '../audit/acts.js';
import type { AuditLog } from '../audit/audit-log.js';
import { type Outcome, onAnswered, onEnded } from '../exchange/exchange.js';
import { auditedAct, templateOf } from '../exchange/route.js';
import { jobIdInPath } from './job-in-path.js';
import { beginEntry, type RequestEntry } from './request-entry.js';

/** Maximum length of a URL in the log, in characters. */
const MAX_URL = 1000;
/** Maximum length of an unknown path as a route, in characters. */
const MAX_ROUTE = 100;

export interface RequestLogOptions {
  log: Logger;
  config: Pick<Config, 'LOG_REQUESTS'>;
  audit: AuditLog;
}

/**
 * Gives each request an id, and logs one line when it has been answered or its stream has ended; at `error` for a status
 * of 500 or more, otherwise at `LOG_REQUESTS`. Also writes the audit log.
 */
export function requestLog({ log, config, audit }: RequestLogOptions): RequestHandler {
  const level =
    config.LOG_REQUESTS !== 'off' && log.isLevelEnabled(config.LOG_REQUESTS)
      ? config.LOG_REQUESTS
      : undefined;
  return (req, res, next) => {
    const entry = beginEntry(req);
    res.setHeader('X-Request-Id', entry.id);
    const act = audit.enabled ? auditedAct(req) : undefined;
    const writeLine = createLine(req, entry, log, level, act && { act, audit });
    // Without a line to write, an open stream keeps nothing for it.
    (level ? onEnded : onAnswered)(res, writeLine);
    next();
  };
}

/** Returns the function that writes the lines of a request. It does not keep the request in memory. */
function createLine(
  req: Request,
  entry: RequestEntry,
  log: Logger,
  level: 'info' | 'debug' | undefined,
  audited: { act: Act; audit: AuditLog } | undefined,
): (outcome: Outcome) => void {
  const { method, socket } = req;
  const isHttp2 = req.httpVersionMajor >= 2;
  const template = templateOf(req);
  const url = req.url.length > MAX_URL ? `${req.url.slice(0, MAX_URL)}…` : req.url;
  const address = level || audited ? addressOf(req) : undefined;
  const startedAt = performance.now();
  const sentBefore = socket.bytesWritten;
  return ({ status, how, reason, events }) => {
    const { id: requestId, caller, code } = entry;
    if (audited) {
      const { act, audit } = audited;
      audit.record(act, { requestId, caller, address, status, code, target: entry.target, how });
    }
    // Refusals are frequent under load, and the change to them is logged.
    const at = status !== undefined && status >= 500 && code !== 'overloaded' ? 'error' : level;
    if (!at || !log.isLevelEnabled(at)) return;
    const [path = ''] = url.split('?', 1);
    const ms = Math.round(performance.now() - startedAt);
    log[at](
      {
        requestId,
        method,
        route: template ?? path.slice(0, MAX_ROUTE),
        url: redactUrl(url),
        status,
        code,
        ms,
        // With the head of the response. Over HTTP/2, Node does not count them for each request.
        bytes: isHttp2 ? undefined : socket.bytesWritten - sentBefore,
        events,
        caller,
        address,
        jobId: jobIdInPath(path) ?? entry.jobId,
        reason,
      },
      how,
    );
  };
}

/** Returns the caller's address. `X-Forwarded-For` can contain any text, even from a trusted proxy. */
export function addressOf(req: Request): string | undefined {
  const { ip } = req;
  return ip && isIP(ip) > 0 ? ip : req.socket.remoteAddress;
}

/** Returns a URL without the values of parameters that may be secret. */
export function redactUrl(url: string): string {
  const [path, query] = url.split(/\?(.*)/s, 2) as [string, string | undefined];
  if (!query) return url;
  const shown = query.split('&').map((pair) => {
    const [key = ''] = pair.split('=', 1);
    return isSecret(key) ? `${key}=[redacted]` : pair;
  });
  return `${path}?${shown.join('&')}`;
}

/** Whether a key of the query names a secret, even if it is percent-encoded: `token`, `api_key`, `password`, … */
function isSecret(key: string): boolean {
  try {
    return SECRET.test(decodeURIComponent(key.replaceAll('+', ' ')));
  } catch {
    return SECRET.test(key);
  }
}

const SECRET = /token|secret|passw|key|auth|signature/i;
