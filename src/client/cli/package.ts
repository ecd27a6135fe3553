import { readFileSync } from 'node:fs';

/** What package.json says that the command line needs to know. */
export interface About {
  version: string;
  engines: { node: string };
}

export const about = (): About =>
  JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
