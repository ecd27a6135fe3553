import { z } from 'zod';
import { newKeySchema } from '../auth/api-keys.js';
import { revocationSchema } from '../auth/revocations.js';
import { named } from './components.js';
import { json, type Operation } from './operation.js';
import { inPath } from './parameters.js';

const TAG = 'Keys';

const time = z.number().int().describe('Milliseconds since 1970');
const newKey = named('NewApiKey', newKeySchema);
const key = z.object({
  id: z.string(),
  name: z.string(),
  sub: z.string().describe('The owner of the jobs that are started with this key'),
  tenant: z.string().optional(),
  admin: z.boolean(),
  subscribe: z.array(z.string()),
  publish: z.array(z.string()),
  jobs: z.array(z.string()).optional(),
  limits: newKeySchema.shape.limits,
  createdAt: time,
  expiresAt: time.optional(),
  usedAt: time.optional().describe('Last use, to the minute'),
});
const apiKey = named('ApiKey', key);
const madeKey = named(
  'MadeApiKey',
  key.extend({ secret: z.string().describe('Send it as `Authorization: Bearer`. It is not shown again') }),
);
const apiKeys = named('ApiKeys', z.object({ keys: z.array(apiKey) }));
const revocation = named('Revocation', revocationSchema);

const example = { name: 'shop', subscribe: ['orders.*'], publish: ['orders.*'], jobs: ['steps'] };
const shown = { id: '0f548b34108c', sub: 'shop', admin: false, createdAt: 1795540537911, ...example };

/** `/v1/keys` and `/v1/revocations`: API keys for servers, and revoking tokens. */
export const keyOperations: Operation[] = [
  {
    method: 'post',
    path: '/v1/keys',
    id: 'makeKey',
    audit: 'key.create',
    tag: TAG,
    summary: 'Create an API key',
    description:
      'For use by a server. Only a hash of the secret is stored, so this answer is the only one that contains it.',
    access: 'admin',
    body: { content: json(newKey, example) },
    answers: {
      201: {
        description: 'The key and its secret',
        headers: ['Location'],
        content: json(madeKey, { ...shown, secret: 'hwk_0f548b34108c_…' }),
      },
    },
  },
  {
    method: 'get',
    path: '/v1/keys',
    id: 'listKeys',
    tag: TAG,
    summary: 'List API keys',
    access: 'admin',
    answers: { 200: { description: 'All API keys', content: json(apiKeys, { keys: [shown] }) } },
  },
  {
    method: 'delete',
    path: '/v1/keys/{id}',
    id: 'revokeKey',
    audit: 'key.remove',
    tag: TAG,
    summary: 'Revoke an API key',
    description: 'Takes effect immediately. Open streams that use the key are ended.',
    access: 'admin',
    parameters: [inPath('id', 'API key id')],
    answers: { 204: { description: 'The key is revoked' } },
    errors: ['not-found'],
  },
  {
    method: 'post',
    path: '/v1/revocations',
    id: 'revokeTokens',
    audit: 'token.revoke',
    tag: TAG,
    summary: 'Revoke tokens',
    description:
      'Revokes one token (by its text or its `jti`), or all tokens issued so far to a user (`sub`, optionally with `tenant`). Open streams that use a revoked token are ended.',
    access: 'admin',
    body: { content: json(revocation, { jti: 'the-lost-phone' }) },
    answers: { 204: { description: 'The tokens are revoked' } },
  },
];
