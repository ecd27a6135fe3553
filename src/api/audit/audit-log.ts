import { type DestinationStream, pino } from 'pino';
import type { Config } from '../../shared/process/config.js';
import type { Logger } from '../../shared/process/log.js';
import { redact } from '../../shared/process/redact.js';
import { StartError } from '../../shared/start-error.js';
import type { Act } from './acts.js';

/** How an audited request was answered. */
export interface AuditedRequest {
  requestId: string;
  caller?: string | undefined;
  address?: string | undefined;
  /** Absent if the caller left before the answer. */
  status: number | undefined;
  code?: string | undefined;
  /** What the request has created or changed, if the path does not say it. */
  target?: string | undefined;
  how: string;
}

/**
 * The record of what callers change: who did what to what, from where, and whether it was refused. One line of JSON for
 * each act, whatever the level of the log is.
 */
export interface AuditLog {
  /** Whether acts are recorded. */
  enabled: boolean;
  /** Records an act. Never throws. */
  record(act: Act, request: AuditedRequest): void;
  /** Closes the file. */
  close(): void;
}

/** Maximum size of entries that wait for a full disk, in bytes. */
const MAX_WAITING = 4 * 1024 * 1024;
/** The statuses with which an act is refused. A stranger's job or schedule is answered with 404. */
const REFUSALS = [401, 403, 404, 429];
/** Errors of requests that were not even looked at. Whoever sends too many must not fill the log. */
const FLOOD = ['rate-limited', 'overloaded'];

/**
 * Opens the audit log.
 * @throws StartError if its file cannot be opened
 */
export function openAuditLog({ AUDIT_LOG }: Pick<Config, 'AUDIT_LOG'>, log: Logger): AuditLog {
  if (AUDIT_LOG === 'off') return { enabled: false, record() {}, close() {} };
  const destination = AUDIT_LOG === 'stdout' ? undefined : openFile(AUDIT_LOG, log);
  const lines = pino(
    {
      level: 'info',
      base: { name: 'audit', audit: true, pid: process.pid },
      hooks: { streamWrite: redact },
    },
    (destination?.stream ?? pino.destination({ dest: 1, sync: true })) as DestinationStream,
  );
  return {
    enabled: true,
    record({ action, target, onlyRefused }, { caller, address, requestId, status, code, how, ...created }) {
      if (code !== undefined && FLOOD.includes(code)) return;
      const outcome = outcomeOf(status, how);
      if (onlyRefused && outcome !== 'refused') return;
      const actor = caller ?? 'unidentified';
      lines.info({
        actor,
        address,
        requestId,
        action,
        target: target ?? created.target,
        outcome,
        status,
        code,
      });
    },
    close: () => destination?.close(),
  };
}

function outcomeOf(status: number | undefined, how: string): string {
  // The caller has left before the answer. What it asked for may have been done.
  if (status === undefined || how === 'request aborted') return 'unknown';
  if (status < 400) return 'done';
  return REFUSALS.includes(status) ? 'refused' : 'failed';
}

/** Opens a file for appending. SIGHUP opens it again, after `logrotate` has moved it. */
function openFile(path: string, log: Logger) {
  const stream = openStream(path);
  stream.on('error', (error) => log.error({ err: error, path }, 'could not write the audit log; retrying'));
  stream.on('drop', () => log.error({ path }, 'an entry of the audit log was dropped'));
  const reopen = (): void => stream.reopen();
  process.on('SIGHUP', reopen);
  return {
    stream,
    close() {
      process.off('SIGHUP', reopen);
      stream.end();
    },
  };
}

function openStream(path: string) {
  try {
    return pino.destination({
      dest: path,
      append: true,
      mkdir: true,
      mode: 0o600,
      sync: true,
      maxLength: MAX_WAITING,
    });
  } catch (error) {
    throw new StartError(`AUDIT_LOG: cannot write ${path} (${(error as NodeJS.ErrnoException).code})`);
  }
}
