import { isIP } from 'node:net';
import { z } from 'zod';
import { HOSTS_FORM, hostPatterns } from '../host-patterns.js';
import { secretList, signingSecrets } from './secret-list.js';

/** Returns whether a text is `none` or a list of proxies as Express accepts it for `trust proxy`. */
const areProxies = (text: string): boolean =>
  text === 'none' ||
  text.split(',').every((part) => {
    const [address, bits, ...rest] = part.trim().split('/') as [string, ...string[]];
    if (bits === undefined && /^(loopback|linklocal|uniquelocal)$/.test(address)) return true;
    const family = isIP(address);
    if (family === 0 || rest.length > 0) return false;
    return bits === undefined || (/^[1-9]\d{0,2}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
  });

/** Returns the mistake in an entry of `CORS_ORIGINS`. Origins are compared as text, and browsers send only one form of each. */
function originMistake(entry: string): string | undefined {
  if (/^https?:\/\//i.test(entry) && URL.canParse(entry) && !entry.includes('*')) {
    const { origin } = new URL(entry);
    return origin === entry ? undefined : `${entry} never matches: browsers send ${origin}`;
  }
  return entry.includes('*')
    ? `${entry} never matches: wildcards are not supported`
    : 'must be a comma-separated list of origins such as https://example.com';
}

/** The settings that decide which tokens, origins and proxies are accepted. */
export const accessSettings = {
  TOKEN_SECRET: signingSecrets.describe(
    'Secret for signing job tokens, at least 32 bytes. All API processes need the same one. To replace it, list the new and the old one: `new,old`. The first signs, all verify; see [Rotate secrets](security.md#rotate-secrets). If empty, a secret is generated and stored in `DATA_DIR`; with `NODE_ENV=production` the secret is required.',
  ),
  JWT_SECRET: signingSecrets.describe(
    'Shared secret for verifying user tokens (HS256), or several of them, comma-separated. Defaults to `TOKEN_SECRET`.',
  ),
  JWT_PUBLIC_KEY: z
    .string()
    .default('')
    .describe(
      'Public key for verifying user tokens (RS256, ES256, EdDSA), as PEM or as the path of a PEM file. Several keys, one after the other, are all accepted.',
    ),
  JWT_JWKS_URL: z
    .union([z.literal(''), z.url({ protocol: /^https?$/ })])
    .default('')
    .describe('Address of a JSON Web Key Set for verifying user tokens.'),
  JWT_ISSUER: z
    .string()
    .default('')
    .describe('Required issuer (`iss`) of user tokens. If empty, the issuer is not checked.'),
  JWT_AUDIENCE: z.string().min(1).default('headway').describe('Required audience (`aud`) of user tokens.'),
  ALLOWED_HOSTS: z
    .string()
    .refine((text) => hostPatterns(text) !== undefined, HOSTS_FORM)
    .default('')
    .describe(
      'Host names under which clients reach the API, in addition to `localhost`, `*.localhost`, the host of `PUBLIC_URL` and a name in `HOST`. Comma-separated: `example.com`, `*.example.com`, or `*` for all. Other names are refused with 421, which stops DNS rebinding. IP addresses are always accepted, ports are ignored, and `/healthz` and `/readyz` accept any host. For an embedded API, the default is `*`.',
    ),
  CORS_ORIGINS: z
    .string()
    .superRefine((text, context) => {
      if (text === '') return;
      const mistakes = text.split(',').flatMap((entry) => originMistake(entry.trim()) ?? []);
      if (mistakes.length > 0) context.addIssue([...new Set(mistakes)].join('; '));
    })
    .default('')
    .describe(
      'Origins whose pages may call the API with credentials, comma-separated. An origin of this machine stands for its port under the names `localhost`, `127.0.0.1` and `[::1]`. If empty, only pages of the same origin may.',
    ),
  TRUST_PROXY: z
    .string()
    .refine(
      areProxies,
      'must be none, or a comma-separated list of addresses, networks such as 10.0.0.0/8, loopback, linklocal and uniquelocal',
    )
    .default('loopback')
    .describe(
      'Proxies whose `X-Forwarded-Proto` and `X-Forwarded-For` headers are trusted, so that cookies are `Secure` behind a proxy that terminates TLS, and limits count the addresses of its clients. A comma-separated list of addresses, networks such as `10.0.0.0/8`, `loopback`, `linklocal` and `uniquelocal`, or `none`.',
    ),
  ADMIN_TOKEN: secretList((token) =>
    /^[\x21-\x7e]{16,}$/.test(token) ? undefined : 'must be at least 16 visible ASCII characters',
  ).describe(
    'Grants full access when sent as a bearer token or as the HTTP Basic password. Several tokens, comma-separated, are all accepted. If empty, a token is generated and stored in `DATA_DIR`; with `NODE_ENV=production` there is no admin token.',
  ),
};
