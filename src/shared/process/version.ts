import { readFileSync } from 'node:fs';

/** The full version of this package. Only admins see it: the patch level reveals which fixes are missing. */
export const { version: VERSION } = JSON.parse(
  readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
) as { version: string };

/** Major and minor version, such as `0.1`. Everyone may see it: it says whether a client is compatible. */
export const RELEASE = VERSION.split('.', 2).join('.');
