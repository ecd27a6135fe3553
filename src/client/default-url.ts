/**
 * Where the service is for a client that is given no `url`. The service gives out a file of its own in place of this one
 * (`/client/default-url.js`), with its path behind a proxy.
 */
export const DEFAULT_URL: string = '/';
