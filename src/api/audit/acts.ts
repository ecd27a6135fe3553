import type { Request } from 'express';

/** Something that a caller does which the audit log records. */
export interface Act {
  /** What is done: `job.cancel`, `key.create`, … */
  action: string;
  /** What it is done to: `job:<id>`, `queue:<name>`, … Unknown before the answer for what the request creates. */
  target?: string;
  /** Whether it is recorded only if it is refused. */
  onlyRefused?: true;
}

/**
 * How a route says what it does: the action, `<kind of target>.<verb>`, whose target is the first parameter of the path; or a
 * function, for what depends on the request.
 */
export type AuditRule = `${string}.${string}` | ((req: Request) => Act | undefined);

/**
 * Returns what a request does, if the audit log records it.
 * @param parameter the first parameter of the path, as it is in the path
 */
export function actOf(rule: AuditRule, req: Request, parameter: string | undefined): Act | undefined {
  if (typeof rule === 'function') return rule(req);
  if (parameter === undefined) return { action: rule };
  return { action: rule, target: `${rule.slice(0, rule.indexOf('.'))}:${plain(parameter)}` };
}

/** The calls of Bull Board whose path names a queue: a verb may have a parameter, and otherwise follows the id of a job. */
const BOARD =
  /^\/admin\/queues\/api\/queues\/([^/]+)\/(?:(retry|clean|rate-limit|job-schedulers)\/.+|(?:([^/]+)\/)?([^/]+))$/i;

/** Changes that an admin makes with Bull Board. */
export function boardAct({ path }: Request): Act {
  const call = path.replace(/\/+$/, '');
  const [, queue, queueVerb, job, verb = queueVerb] = BOARD.exec(call) ?? [];
  // `/api/queues/pause` concerns all queues.
  if (queue === undefined) return { action: `board.${plain(call.slice(call.lastIndexOf('/') + 1))}` };
  return {
    action: `board.${plain(verb ?? 'change')}`,
    target: `queue:${plain(queue)}${job === undefined ? '' : ` job:${plain(job)}`}`,
  };
}

const hasPassword = (req: Request): boolean => req.headers.authorization !== undefined;

/** A browser first asks without a password, and is told to ask its user. */
export const signIn = (req: Request): Act | undefined =>
  hasPassword(req) ? { action: 'admin.sign-in' } : undefined;

/** Browsers send the password again with each request for the board, so only a wrong one is recorded. */
export const wrongPassword = (req: Request): Act | undefined =>
  hasPassword(req) ? { action: 'admin.sign-in', onlyRefused: true } : undefined;

function plain(text: string): string {
  try {
    return decodeURIComponent(text).slice(0, 200);
  } catch {
    return text.slice(0, 200);
  }
}
