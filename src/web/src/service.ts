import { createClient } from '../../client/client.js';

/**
 * The root of the service as the browser sees it, with a slash at its end: the service writes it into its pages. (Tests
 * without a browser have no document.)
 */
export const ROOT =
  globalThis.document?.querySelector<HTMLMetaElement>('meta[name="headway-root"]')?.content ?? '/';

export const service = { url: ROOT };

export const client = createClient(service);

/** The link to a file of a result, below the root of the service whatever the worker knew of that; others as they are. */
export const fileLink = (href: string, root = ROOT): string =>
  href.replace(/^\/(?:[^?#]*?\/)?(?=v1\/jobs\/[^/?#]+\/result\?file=)/, () => root);
