import { z } from 'zod';
import { newKeySchema } from '../auth/api-keys.js';
import { revocationSchema } from '../auth/revocations.js';
import { named } from './components.js';
import { json, type Operation } from './operation.js';
import { inPath } from './parameters.js';

const TAG = 'Keys';

const time = z.number().int().describe('ms since 1970');
const newKey = named('NewApiKey', newKeySchema);
const key = z.object({
  id: z.string(),
  name: z.string(),
  sub: z.string().describe('Whose jobs are started with it'),
  tenant: z.string().optional(),
  admin: z.boolean(),
  subscribe: z.array(z.string()),
  publish: z.array(z.string()),
  jobs: z.array(z.string()).optional(),
  createdAt: time,
  expiresAt: time.optional(),
  usedAt: time.optional().describe('To the minute'),
});
const apiKey = named('ApiKey', key);
const madeKey = named(
  'MadeApiKey',
  key.extend({ secret: z.string().describe('Sent as `Authorization: Bearer`; never shown again') }),
);
const apiKeys = named('ApiKeys', z.object({ keys: z.array(apiKey) }));
const revocation = named('Revocation', revocationSchema);

const example = { name: 'shop', subscribe: ['orders.*'], publish: ['orders.*'], jobs: ['steps'] };
const shown = { id: '0f548b34108c', sub: 'shop', admin: false, createdAt: 1795540537911, ...example };

/** `/v1/keys` and `/v1/revocations`: what servers sign in with, and what is to be valid no longer. */
export const keyOperations: Operation[] = [
  {
    method: 'post',
    path: '/v1/keys',
    id: 'makeKey',
    tag: TAG,
    summary: 'Make an API key',
    description: 'For a server. Only its hash is kept: the secret is in this answer and nowhere else.',
    access: 'admin',
    body: { content: json(newKey, example) },
    answers: {
      201: {
        description: 'The key, and its secret',
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
    summary: 'The API keys',
    access: 'admin',
    answers: { 200: { description: 'All of them', content: json(apiKeys, { keys: [shown] }) } },
  },
  {
    method: 'delete',
    path: '/v1/keys/{id}',
    id: 'revokeKey',
    tag: TAG,
    summary: 'Revoke an API key',
    description: 'At once: streams that rest on it end.',
    access: 'admin',
    parameters: [inPath('id', 'The id of a key')],
    answers: { 204: { description: 'It is revoked' } },
    errors: ['not-found'],
  },
  {
    method: 'post',
    path: '/v1/revocations',
    id: 'revokeTokens',
    tag: TAG,
    summary: 'Revoke tokens',
    description:
      'One by itself or by its `jti`, or all that a principal (`sub`, `tenant`) has been issued so far. Streams that rest on one end at once.',
    access: 'admin',
    body: { content: json(revocation, { jti: 'the-lost-phone' }) },
    answers: { 204: { description: 'They are not valid any more' } },
  },
];
