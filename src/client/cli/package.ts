import { readFileSync } from 'node:fs';

/** The fields of package.json that the command line uses. */
export interface About {
  version: string;
  engines: { node: string };
}

export const about = (): About =>
  JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
