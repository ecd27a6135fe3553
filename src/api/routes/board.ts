import { type Express, type NextFunction, type Request, type Response, Router } from 'express';
import { HeadwayError } from '../../shared/errors.js';
import type { OpenQueue, QueuePlan } from '../../shared/jobs/queues.js';
import type { Keyspace } from '../../shared/keyspace.js';
import { loadOptional, MissingPackageError } from '../../shared/process/optional-packages.js';
import { isRedisFault } from '../../shared/redis/faults.js';
import { queueNameOf, shardOf } from '../../shared/shards.js';
import type { Access } from '../auth/access.js';
import type { Principal } from '../auth/principal.js';
import { basePath } from '../http/base-path.js';
import { forBothVersions } from '../http/over-http2.js';
import { allowInlineStyles } from '../http/pages.js';

/** The path of the board. */
export const BOARD_PATH = '/admin/queues';

/** Makes a browser ask for a user name and a password (RFC 7617, sections 2 and 2.1). */
const CHALLENGE = 'Basic realm="headway", charset="UTF-8"';
/** The link in the board's page to a typeface on another site. It is removed, and the page uses another typeface. */
const FOREIGN_STYLESHEET = /<link\b[^>]*\bhref="https?:[^>]*>/g;

export interface BoardOptions {
  openQueue: OpenQueue;
  plan: QueuePlan;
  keyspace: Keyspace;
  access: Access;
}

/** The parameters of the board's page, with the response's locals, which Express adds. */
interface BoardParams {
  _locals: { boardPath: string };
}

/** Bull Board with all queues, for admins. It is loaded at the first request, because loading it takes a tenth of the start-up time. */
export function boardRoutes(options: BoardOptions): Router {
  const { shards } = options.keyspace;
  let board: Promise<ReturnType<typeof forBothVersions>> | undefined;
  let shown = 0;
  const router = Router();
  router.use(requireAdmin, allowOwnBase, allowInlineStyles, atBasePath, async (req, res, next) => {
    // Other processes may have added shards.
    if (shown !== shards.known) board = undefined;
    shown = shards.known;
    board ??= openBoard(options).then(forBothVersions);
    (await board)(req, res, next);
  });
  return router;

  async function requireAdmin(req: Request, res: Response, next: NextFunction): Promise<void> {
    await requireBoardAdmin(options.access, req, res);
    next();
  }
}

/** Returns the options that name a queue of a shard after the first. */
const boardNameOf = (queue: string) => ({
  prefix: `shard-${shardOf(queue)}-`,
  displayName: `${queueNameOf(queue)} (shard ${shardOf(queue)})`,
});

/** Loads the board. @throws HeadwayError `not-found` if it is not installed */
const loadBoard = () =>
  loadOptional('board', () =>
    Promise.all([
      import('@bull-board/api'),
      import('@bull-board/api/bullMQAdapter'),
      import('@bull-board/express'),
    ]),
  ).catch((error: unknown) => {
    throw error instanceof MissingPackageError ? new HeadwayError('not-found', error.message) : error;
  });

async function openBoard({ openQueue, plan, keyspace }: BoardOptions): Promise<Express> {
  const [{ createBullBoard }, { BullMQAdapter }, { ExpressAdapter }] = await loadBoard();
  const server = new ExpressAdapter();
  // The board tells queues apart by their names. In BullMQ, a queue has the same name in each shard.
  const adapterOf = (queue: string) =>
    new BullMQAdapter(openQueue(queue), shardOf(queue) === 0 ? {} : boardNameOf(queue));
  createBullBoard({
    queues: plan.names.flatMap((name) => keyspace.shards.of(name).map(adapterOf)),
    serverAdapter: server,
    options: { uiConfig: { boardTitle: 'Headway', hideDocsLink: true } },
  });
  // The board answers every error with 500. Those of Redis are answered as everywhere else.
  const { errorHandler } = server as unknown as {
    errorHandler: Parameters<typeof server.setErrorHandler>[0];
  };
  server.setErrorHandler((error) => {
    if (isRedisFault(error)) throw error;
    return errorHandler(error);
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
 * Returns the caller, who is an admin. A browser asks any other visitor for a password.
 * @throws HeadwayError like `access.requireAdmin`
 */
export function requireBoardAdmin(access: Access, req: Request, res: Response): Promise<Principal> {
  return access.requireAdmin(req).catch((error: unknown) => {
    if (error instanceof HeadwayError && error.status === 401) res.set('WWW-Authenticate', CHALLENGE);
    throw error;
  });
}

/** Sets the path of the board for each request: the board has one path, but requests can have different base paths. */
function atBasePath(req: Request, res: Response, next: () => void): void {
  res.locals.boardPath = `${basePath(req)}${BOARD_PATH}/`;
  next();
}

/** Allows the board's page to set the base of its links to its own address. */
function allowOwnBase(_req: Request, res: Response, next: () => void): void {
  const policy = String(res.get('Content-Security-Policy')).replace("base-uri 'none'", "base-uri 'self'");
  res.set('Content-Security-Policy', policy);
  next();
}
