/** The service's own paths; a test compares them with the reference. */
const OWN_PATHS = [
  '/openapi.json',
  '/asyncapi.json',
  '/healthz',
  '/readyz',
  '/favicon.svg',
  '/index.html',
  '/dashboard.html',
  '/stream',
  '/v1',
  '/client',
  '/dashboard',
  '/docs',
  '/assets',
  '/admin/queues',
];

/** What a proxy and a browser write the same way: in a longer alphabet, `%41`, `a` and `A` could be one path or three. */
const PLAIN_PATH = /^(\/[A-Za-z0-9._~-]+)*\/?$/;

/** Why a text cannot be `PUBLIC_URL`; `undefined` for one that can. */
export function publicUrlMistake(text: string): string | undefined {
  // URL.canParse() forgives white space, backslashes and a single slash.
  const [, authority, rest] = /^https?:\/\/([^/?#\\\s\p{C}]+)([^\s\p{C}]*)$/iu.exec(text) ?? [];
  if (authority === undefined || !URL.canParse(text)) {
    return 'must be an address such as https://example.org/headway';
  }
  if (authority.includes('@')) return 'must have no user name and no password';
  if (/[?#]/.test(rest!)) return 'must have no query and no fragment';
  if (!PLAIN_PATH.test(rest!) || rest!.split('/').some((part) => part === '.' || part === '..')) {
    return 'its path must be names of letters, digits, "-", "_", "." and "~", with single slashes between';
  }
  const own = ownPathAt(basePathOf(text));
  return own && `its path cannot be told from ${own}, which is a path of the service`;
}

/** The path of the service that a base path is, lies below, or lies above. Routes do not distinguish upper case. */
function ownPathAt(base: string): string | undefined {
  const path = `${base.toLowerCase()}/`;
  if (path === '/') return undefined;
  return OWN_PATHS.find((own) => path.startsWith(`${own}/`) || `${own}/`.startsWith(path));
}

/** A public URL in the one form that is compared: without a slash at its end, and its host as browsers write it. */
export function normalPublicUrl(text: string): string {
  if (text === '') return '';
  const { origin, pathname } = new URL(text);
  return origin + withoutSlash(pathname);
}

/** The path below which the service is seen from outside, such as `/headway`; empty where it has a host of its own. */
export const basePathOf = (publicUrl: string): string =>
  publicUrl === '' ? '' : withoutSlash(new URL(publicUrl).pathname);

const withoutSlash = (path: string): string => path.replace(/\/$/, '');
