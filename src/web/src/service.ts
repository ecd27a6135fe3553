import { createClient } from '../../client/client.js';

/** The root of the service as the browser sees it, with a slash at its end: the service writes it into its pages. */
export const ROOT = document.querySelector<HTMLMetaElement>('meta[name="headway-root"]')?.content ?? '/';

export const service = { url: ROOT };

export const client = createClient(service);

/** A link of the service below its root, whatever path the process that made it knew of. */
export const atRoot = (link: string): string => link.replace(/^\/(?:[^?#]*?\/)?(?=v1\/)/, ROOT);
