import { type Request, type Response, Router } from 'express';
import { HeadwayError } from '../../shared/errors.js';
import type { Keyspace } from '../../shared/keyspace.js';
import type { RedisClient } from '../../shared/redis/client.js';
import type { Access } from '../auth/access.js';
import { type ApiKeys, newKeySchema } from '../auth/api-keys.js';
import { publishRevocation } from '../auth/revocation-watch.js';
import { type Revocations, revocationSchema } from '../auth/revocations.js';
import { basePath } from '../http/base-path.js';
import { jsonBody } from '../http/body.js';
import { requireValid } from '../http/invalid.js';
import { methods } from '../http/problem.js';
import { noteInEntry } from '../http/request-entry.js';

export interface KeyRoutesOptions {
  access: Access;
  apiKeys: ApiKeys;
  revocations: Revocations;
  redis: RedisClient;
  keyspace: Keyspace;
}

/** `/v1/keys`: API keys for servers. `/v1/revocations`: revoking tokens. For admins. */
export function keyRoutes({ access, apiKeys, revocations, redis, keyspace }: KeyRoutesOptions): Router {
  const router = Router();
  const json = jsonBody('64kb');
  router.route('/keys').all(methods('GET', 'POST'), admin).get(list).post(json, create);
  router.route('/keys/:id').all(methods('DELETE'), admin).delete(remove);
  router.route('/revocations').all(methods('POST'), admin).post(json, revoke);
  return router;

  async function admin(req: Request, _res: Response, next: () => void): Promise<void> {
    await access.requireAdmin(req);
    next();
  }

  async function list(_req: Request, res: Response): Promise<void> {
    res.set('Cache-Control', 'no-store').json({ keys: await apiKeys.list() });
  }

  async function create(req: Request, res: Response): Promise<void> {
    const { key, secret } = await apiKeys.create(await requireValid(newKeySchema, req.body));
    noteInEntry(req, { target: `key:${key.id}` });
    res
      .status(201)
      .location(`${basePath(req)}/v1/keys/${key.id}`)
      .set('Cache-Control', 'no-store')
      .json({ ...key, secret });
  }

  async function remove(req: Request, res: Response): Promise<void> {
    const id = String(req.params.id);
    if (!(await apiKeys.remove(id))) throw new HeadwayError('not-found', 'No such API key.');
    await publishRevocation(redis, keyspace, { field: 'key', name: id });
    res.status(204).end();
  }

  async function revoke(req: Request, res: Response): Promise<void> {
    const revoked = await revocations.revoke(await requireValid(revocationSchema, req.body));
    noteInEntry(req, { target: `${revoked.field}:${revoked.name}` });
    await publishRevocation(redis, keyspace, revoked);
    res.status(204).end();
  }
}
