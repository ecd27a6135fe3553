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

interface Rule {
  method: string;
  path: RegExp;
  action: (found: RegExpExecArray, req: Request) => Act | undefined;
}

const of =
  (action: string, kind?: string) =>
  ([, id]: RegExpExecArray): Act => ({ action, ...(kind && id ? { target: `${kind}:${plain(id)}` } : {}) });

const RULES: Rule[] = [
  { method: 'POST', path: /^\/v1\/jobs\/([^/]+)\/cancel$/i, action: of('job.cancel', 'job') },
  { method: 'POST', path: /^\/v1\/jobs\/([^/]+)\/retry$/i, action: of('job.retry', 'job') },
  { method: 'POST', path: /^\/v1\/definitions\/([^/]+)\/pause$/i, action: of('kind.pause', 'kind') },
  { method: 'POST', path: /^\/v1\/definitions\/([^/]+)\/resume$/i, action: of('kind.resume', 'kind') },
  { method: 'POST', path: /^\/v1\/keys$/i, action: of('key.create') },
  { method: 'DELETE', path: /^\/v1\/keys\/([^/]+)$/i, action: of('key.remove', 'key') },
  { method: 'POST', path: /^\/v1\/revocations$/i, action: of('token.revoke') },
  { method: 'POST', path: /^\/v1\/schedules$/i, action: of('schedule.create') },
  { method: 'PATCH', path: /^\/v1\/schedules\/([^/]+)$/i, action: of('schedule.change', 'schedule') },
  { method: 'DELETE', path: /^\/v1\/schedules\/([^/]+)$/i, action: of('schedule.remove', 'schedule') },
  { method: 'POST', path: /^\/v1\/schedules\/([^/]+)\/pause$/i, action: of('schedule.pause', 'schedule') },
  { method: 'POST', path: /^\/v1\/schedules\/([^/]+)\/resume$/i, action: of('schedule.resume', 'schedule') },
  { method: 'POST', path: /^\/v1\/schedules\/([^/]+)\/run$/i, action: of('schedule.run', 'schedule') },
  // A browser first asks without a password, and is told to ask its user.
  { method: 'GET', path: /^\/dashboard\/sign-in$/i, action: (_, req) => signInOf(req) },
  { method: 'POST', path: /^\/dashboard\/sign-out$/i, action: of('admin.sign-out') },
  { method: 'GET', path: /^\/admin\/queues(?:\/|$)/i, action: (_, req) => wrongPasswordOf(req) },
];

/** The GET requests that are recorded. */
const READ = /^\/(dashboard\/sign-in|admin\/queues)/i;
/** The calls of Bull Board whose path names a queue: a verb may have a parameter, and otherwise follows the id of a job. */
const BOARD =
  /^\/admin\/queues\/api\/queues\/([^/]+)\/(?:(retry|clean|rate-limit|job-schedulers)\/.+|(?:([^/]+)\/)?([^/]+))$/i;

/** Returns what a request does, if the audit log records it. */
export function actOf(req: Request): Act | undefined {
  const { method } = req;
  // Most requests start or read jobs.
  if (req.path === '/v1/jobs' || (method === 'GET' && !READ.test(req.path))) return undefined;
  // Express' routes ignore case and a trailing slash.
  const path = req.path.length > 1 ? req.path.replace(/\/$/, '') : req.path;
  if (/^\/admin\/queues\//i.test(path) && method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS') {
    return boardAct(path);
  }
  for (const rule of RULES) {
    const found = rule.method === method ? rule.path.exec(path) : null;
    if (found) return rule.action(found, req);
  }
  return undefined;
}

function boardAct(path: string): Act {
  const [, queue, queueVerb, job, verb = queueVerb] = BOARD.exec(path) ?? [];
  // `/api/queues/pause` concerns all queues.
  if (queue === undefined) return { action: `board.${plain(path.slice(path.lastIndexOf('/') + 1))}` };
  return {
    action: `board.${plain(verb ?? 'change')}`,
    target: `queue:${plain(queue)}${job === undefined ? '' : ` job:${plain(job)}`}`,
  };
}

const hasPassword = (req: Request): boolean => req.headers.authorization !== undefined;

const signInOf = (req: Request): Act | undefined =>
  hasPassword(req) ? { action: 'admin.sign-in' } : undefined;

/** Browsers send the password again with each request for the board, so only a wrong one is recorded. */
const wrongPasswordOf = (req: Request): Act | undefined =>
  hasPassword(req) ? { action: 'admin.sign-in', onlyRefused: true } : undefined;

function plain(text: string): string {
  try {
    return decodeURIComponent(text).slice(0, 200);
  } catch {
    return text.slice(0, 200);
  }
}
