import { type Express, type NextFunction, type Request, type Response, Router } from 'express';
import { HeadwayError } from '../../shared/errors.js';
import type { OpenQueue, QueuePlan } from '../../shared/jobs/queues.js';
import type { Access } from '../auth/access.js';
import { basePath } from '../http/base-path.js';
import { allowInlineStyles } from '../http/pages.js';

/** Where the board is. */
export const BOARD_PATH = '/admin/queues';

/** The browser asks for a name and a password (RFC 7617, sections 2 and 2.1). */
const CHALLENGE = 'Basic realm="headway", charset="UTF-8"';
/** The board's page asks another site for its typeface; it has a second choice. */
const FOREIGN_STYLESHEET = /<link\b[^>]*\bhref="https?:[^>]*>/g;

export interface BoardOptions {
  openQueue: OpenQueue;
  plan: QueuePlan;
  access: Access;
}

/** What the page of the board is made of, and what Express adds: the locals of its response. */
interface BoardParams {
  _locals: { boardPath: string };
}

/** Bull Board: all queues, for an admin. It is loaded when the first admin asks for it: it is a tenth of the start. */
export function boardRoutes(options: BoardOptions): Router {
  let board: Promise<Express> | undefined;
  const router = Router();
  router.use(requireAdmin, allowOwnBase, allowInlineStyles, atBasePath, async (req, res, next) => {
    board ??= openBoard(options);
    (await board)(req, res, next);
  });
  return router;

  async function requireAdmin(req: Request, res: Response, next: NextFunction): Promise<void> {
    await requireBoardAdmin(options.access, req, res);
    next();
  }
}

async function openBoard({ openQueue, plan }: BoardOptions): Promise<Express> {
  const [{ createBullBoard }, { BullMQAdapter }, { ExpressAdapter }] = await Promise.all([
    import('@bull-board/api'),
    import('@bull-board/api/bullMQAdapter'),
    import('@bull-board/express'),
  ]);
  const server = new ExpressAdapter();
  createBullBoard({
    queues: plan.names.map((name) => new BullMQAdapter(openQueue(name))),
    serverAdapter: server,
    options: { uiConfig: { boardTitle: 'Headway', hideDocsLink: true } },
  });
  const board = server.getRouter();
  board.disable('x-powered-by');
  const render = board.render.bind(board);
  board.render = (name: string, params: BoardParams, done: (error: Error | null, html?: string) => void) =>
    render(name, { ...params, basePath: params._locals.boardPath }, (error: Error | null, html?: string) =>
      done(error, html?.replace(FOREIGN_STYLESHEET, '')),
    );
  return board;
}

/**
 * Lets an admin pass; a browser asks anybody else for a password.
 * @throws HeadwayError as `access.requireAdmin` does
 */
export async function requireBoardAdmin(access: Access, req: Request, res: Response): Promise<void> {
  await access.requireAdmin(req).catch((error: unknown) => {
    if (error instanceof HeadwayError && error.status === 401) res.set('WWW-Authenticate', CHALLENGE);
    throw error;
  });
}

/** The board has one base for all requests, where each may come by a path of its own. */
function atBasePath(req: Request, res: Response, next: () => void): void {
  res.locals.boardPath = `${basePath(req)}${BOARD_PATH}/`;
  next();
}

/** The board names its own address as the base of the page's links. */
function allowOwnBase(_req: Request, res: Response, next: () => void): void {
  const policy = String(res.get('Content-Security-Policy')).replace("base-uri 'none'", "base-uri 'self'");
  res.set('Content-Security-Policy', policy);
  next();
}
