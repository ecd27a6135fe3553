import { createClient } from '../../client/client.js';

/**
 * The root path of the service, with a trailing slash. The service writes it into its pages. (Tests without a browser
 * have no document.)
 */
export const ROOT =
  globalThis.document?.querySelector<HTMLMetaElement>('meta[name="headway-root"]')?.content ?? '/';

export const service = { url: ROOT };

export const client = createClient(service);

/** Returns the link to a file of a result, below the root of this service. Other links stay as they are. */
export const fileLink = (href: string, root = ROOT): string =>
  href.replace(/^\/(?:[^?#]*?\/)?(?=v1\/jobs\/[^/?#]+\/result\?file=)/, () => root);
