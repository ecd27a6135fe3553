import type { Request } from 'express';

/** Returns the token of `Authorization: Bearer` (RFC 6750, section 2.1). */
export function bearer(req: Request): string | undefined {
  return /^Bearer +(\S+)$/i.exec(req.get('authorization') ?? '')?.[1];
}

/** Returns the password of `Authorization: Basic` (RFC 7617). The user name is ignored. */
export function basicPassword(req: Request): string | undefined {
  const encoded = /^Basic +(\S+)$/i.exec(req.get('authorization') ?? '')?.[1];
  if (!encoded) return undefined;
  const pair = Buffer.from(encoded, 'base64').toString();
  return pair.includes(':') ? pair.slice(pair.indexOf(':') + 1) : undefined;
}

/** Returns the tokens in the query, for `EventSource`, which cannot send headers. There may be one for each job. */
export const queryTokens = (req: Request): string[] =>
  [req.query.token ?? []].flat().filter((token) => typeof token === 'string' && token !== '') as string[];

/** Returns the comma-separated job tokens of `Headway-Job-Tokens`. They give access to jobs, and do not identify the caller. */
export const jobTokens = (req: Request): string[] =>
  (req.get('headway-job-tokens') ?? '').split(',').flatMap((token) => token.trim() || []);

/** Returns the values of a cookie, the most specific path first (RFC 6265, section 5.4). */
export function cookies(req: Request, name: string): string[] {
  return (req.get('cookie') ?? '').split(';').flatMap((part) => {
    const [key, value] = part.trim().split('=', 2);
    return key === name && value ? [value] : [];
  });
}
