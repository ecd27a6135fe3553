import { readFileSync } from 'node:fs';
import { decodeText } from './text-file.js';

/** The settings that can also be read from a file, which is named by the same setting with `_FILE`. */
export const SECRET_SETTINGS = [
  'TOKEN_SECRET',
  'ADMIN_TOKEN',
  'JWT_SECRET',
  'WEBHOOK_SECRET',
  'REDIS_PASSWORD',
  'REDIS_SENTINEL_PASSWORD',
] as const;

/**
 * Reads the secrets whose files the environment names, as Docker and Kubernetes provide them.
 * @param settings names of the settings that are read; others are left out
 * @returns the secrets by setting, and one line per mistake
 */
export function readSecretFiles(
  env: Record<string, string | undefined>,
  settings: readonly string[],
): {
  secrets: Record<string, string[]>;
  problems: string[];
} {
  const secrets: Record<string, string[]> = {};
  const problems: string[] = [];
  for (const name of SECRET_SETTINGS) {
    const setting = `${name}_FILE`;
    const path = env[setting];
    if (!path || !settings.includes(name)) continue;
    if (env[name]) problems.push(`${setting}: must not be set together with ${name}`);
    try {
      secrets[name] = secretLines(readFileSync(path));
      if (secrets[name].length === 0) problems.push(`${setting}: ${path} is empty`);
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
