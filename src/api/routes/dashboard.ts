import { type Request, type Response, Router } from 'express';
import type { History } from '../../shared/dashboard/history.js';
import { HeadwayError } from '../../shared/errors.js';
import type { Access } from '../auth/access.js';
import { ownCookie, TOKEN_COOKIE } from '../auth/own-cookie.js';
import { ADMIN_SESSION_MS, type AdminSession } from '../auth/tokens.js';
import { basePath } from '../http/base-path.js';
import { openPage } from '../http/pages.js';
import { methods } from '../http/problem.js';
import type { DashboardViewers } from '../live/dashboard-viewers.js';
import { parseDashboardQuery, parseHistoryQuery } from '../live/query.js';
import type { StreamDoor } from '../stream/door.js';
import { type PendingStream, requireStream } from '../stream/pending-stream.js';
import { requireBoardAdmin } from './board.js';

export interface DashboardRoutesOptions {
  access: Access;
  dashboard: DashboardViewers;
  history: History;
  streams: StreamDoor;
  adminSession: AdminSession;
  /** The folder of the built pages; `undefined` when they are not built. */
  page: string | undefined;
}

/** `/dashboard`, its stream `/v1/dashboard/events`, and signing in and out. */
export function dashboardRoutes({
  access,
  dashboard,
  history,
  streams,
  adminSession,
  page,
}: DashboardRoutesOptions): Router {
  const router = Router();
  router.route('/v1/dashboard/events').all(methods('GET')).get(streams.handler(watch));
  router.route('/v1/dashboard/history').all(methods('GET')).get(showHistory);
  const showPage = page === undefined ? notBuilt : openPage(page, 'dashboard.html');
  router.route('/dashboard').all(methods('GET')).get(showPage);
  router.route('/dashboard/jobs').all(methods('GET')).get(showPage);
  router.route('/dashboard/jobs/:id').all(methods('GET')).get(showPage);
  router.route('/dashboard/sign-in').all(methods('GET')).get(signIn);
  router.route('/dashboard/sign-out').all(methods('POST')).post(signOut);
  return router;

  async function watch(req: Request, stream: PendingStream): Promise<void> {
    const query = await parseDashboardQuery(req.query);
    const principal = await access.principal(req);
    requireStream(req);
    await dashboard.answer(stream, query, principal);
  }

  async function showHistory(req: Request, res: Response): Promise<void> {
    const { range, name } = await parseHistoryQuery(req.query);
    await access.requireAdmin(req);
    res.set('Cache-Control', 'no-store').json(await history.read(range, name));
  }

  function notBuilt(): never {
    throw new HeadwayError('not-found', 'The dashboard is not built. Run npm run build.');
  }

  /**
   * Signs in like the board. The cookie is for requests from the page, because browsers do not add the password to them. Only
   * the admin token gets one: a session cannot be prolonged, and does not outlive another token.
   */
  async function signIn(req: Request, res: Response): Promise<void> {
    const { adminToken } = await requireBoardAdmin(access, req, res);
    if (adminToken !== undefined) {
      const { name, options } = ownCookie(req, TOKEN_COOKIE);
      res.cookie(name, await adminSession(adminToken), { ...options, maxAge: ADMIN_SESSION_MS });
    }
    res.set('Cache-Control', 'no-store').redirect(303, `${basePath(req)}/dashboard`);
  }

  function signOut(req: Request, res: Response): void {
    const { name, options } = ownCookie(req, TOKEN_COOKIE);
    for (const each of new Set([TOKEN_COOKIE, name])) res.clearCookie(each, options);
    res.status(204).end();
  }
}
