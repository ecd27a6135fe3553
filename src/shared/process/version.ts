import { readFileSync } from 'node:fs';

/** The version of this package. Which mend it has, or has not, is told to admins only. */
export const { version: VERSION } = JSON.parse(
  readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
) as { version: string };

/** Major and minor of it, `0.1`: what says whether a client fits, told to anybody. */
export const RELEASE = VERSION.split('.', 2).join('.');
