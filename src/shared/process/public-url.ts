/** The paths of the service. A test compares them with the OpenAPI document. */
const OWN_PATHS = [
  '/openapi.json',
  '/asyncapi.json',
  '/healthz',
  '/readyz',
  '/metrics',
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

/** Paths that every proxy and browser writes in the same way. With percent encoding, one path has several spellings. */
const PLAIN_PATH = /^(\/[A-Za-z0-9._~-]+)*\/?$/;

/** Returns why a text is not a valid `PUBLIC_URL`; `undefined` if it is valid. */
export function publicUrlMistake(text: string): string | undefined {
  // URL.canParse() accepts white space, backslashes and a single slash.
  const [, authority, rest = ''] = /^https?:\/\/([^/?#\\\s\p{C}]+)([^\s\p{C}]*)$/iu.exec(text) ?? [];
  if (authority === undefined || !URL.canParse(text)) {
    return 'must be an address such as https://example.org/headway';
  }
  if (authority.includes('@')) return 'must not have a user name or password';
  if (/[?#]/.test(rest)) return 'must not have a query or fragment';
  if (!PLAIN_PATH.test(rest) || rest.split('/').some((part) => part === '.' || part === '..')) {
    return 'its path must consist of letters, digits, "-", "_", "." and "~", separated by single slashes';
  }
  const own = ownPathAt(basePathOf(text));
  return own && `its path conflicts with ${own}, which is a path of the service`;
}

/** Returns the path of the service that equals, contains or lies below a base path. Routes ignore case. */
function ownPathAt(base: string): string | undefined {
  const path = `${base.toLowerCase()}/`;
  if (path === '/') return undefined;
  return OWN_PATHS.find((own) => path.startsWith(`${own}/`) || `${own}/`.startsWith(path));
}

/** Returns a public URL in normal form: without a trailing slash, and with the host as browsers write it. */
export function normalPublicUrl(text: string): string {
  if (text === '') return '';
  const { origin, pathname } = new URL(text);
  return origin + withoutSlash(pathname);
}

/** Returns the path of the public URL, such as `/headway`; empty if the service has its own host. */
export const basePathOf = (publicUrl: string): string =>
  publicUrl === '' ? '' : withoutSlash(new URL(publicUrl).pathname);

const withoutSlash = (path: string): string => path.replace(/\/$/, '');
