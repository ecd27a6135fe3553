/**
 * The address of the service for clients created without a `url`. The service replaces this file
 * (`/client/default-url.js`) with its own path behind a proxy.
 */
export const DEFAULT_URL: string = '/';
