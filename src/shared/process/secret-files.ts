import { readFileSync } from 'node:fs';
import { decodeText } from './text-file.js';

/** The settings with one secret, or with several of them while they are replaced. */
const LISTS = [
  'TOKEN_SECRET',
  'ADMIN_TOKEN',
  'JWT_SECRET',
  'WEBHOOK_SECRET',
  'ALERT_WEBHOOK_SECRET',
  'REDIS_PASSWORD',
  'REDIS_SENTINEL_PASSWORD',
] as const;
/** The settings with a URL that may contain a password, or is itself a secret. */
const URLS = ['REDIS_URL', 'JWT_JWKS_URL', 'ALERT_WEBHOOK_URL'] as const;

/** The settings that can also be read from a file, which is named by the same setting with `_FILE`. */
export const SECRET_SETTINGS = [...LISTS, ...URLS] as const;

/**
 * Reads the secrets whose files the environment names, as Docker and Kubernetes provide them.
 * @param names the settings to read
 * @returns the secrets by setting, one text for a URL, and one line per mistake
 */
export function readSecretFiles(
  env: Record<string, string | undefined>,
  names: readonly string[],
): {
  secrets: Record<string, string | string[]>;
  problems: string[];
} {
  const secrets: Record<string, string | string[]> = {};
  const problems: string[] = [];
  for (const name of names) {
    const setting = `${name}_FILE`;
    const path = env[setting];
    if (!path) continue;
    if (env[name]) problems.push(`${setting}: must not be set together with ${name}`);
    try {
      const lines = secretLines(readFileSync(path));
      const [first, ...others] = lines;
      const isUrl = URLS.some((url) => url === name);
      if (first === undefined) problems.push(`${setting}: ${path} is empty`);
      else if (isUrl && others.length > 0) problems.push(`${setting}: ${path} must have one line`);
      else secrets[name] = isUrl ? first : lines;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      problems.push(`${setting}: cannot read ${path} (${code ?? message})`);
    }
  }
  return { secrets, problems };
}

/** Returns the secrets in a file: one per line, the newest first. Empty lines are skipped. */
export const secretLines = (content: Uint8Array): string[] =>
  decodeText(content)
    .split(/\r?\n/)
    .filter((line) => line !== '');
