import { z } from 'zod';

/** At least one secret, the newest first. */
export type Secrets = readonly [string, ...string[]];

/** Maximum number of secrets in one setting. */
const MAX_SECRETS = 8;
/** What `openssl rand` writes as hex or base64. A secret with other characters may be one that contains a comma. */
const PLAIN = /^[A-Za-z0-9+/=_-]+$/;
const IN_FILE =
  'if the comma is part of a secret, put the secret into a file, one secret per line, and name the file in the setting of the same name with _FILE';

/**
 * A setting with one secret, or with several of them while they are replaced: the newest first, separated by commas. An
 * array, from a file, is taken as it is.
 * @param mistakeOf returns why a text cannot be a secret; `undefined` if it can
 */
export const secretList = (mistakeOf: (secret: string) => string | undefined) =>
  z
    .union([z.string(), z.array(z.string())])
    .transform((given, context): string[] => {
      if (given.length === 0) return [];
      const secrets = typeof given === 'string' ? given.split(',') : given;
      const isList = secrets.length > 1;
      const hasComma = isList && typeof given === 'string';
      secrets.forEach((secret, i) => {
        const mistake =
          secret === ''
            ? 'must not be empty'
            : (mistakeOf(secret) ??
              (hasComma && !PLAIN.test(secret)
                ? 'must consist of letters, digits and "+", "/", "=", "_", "-"'
                : undefined));
        if (mistake === undefined) return;
        const which = isList ? `secret ${i + 1} of ${secrets.length} ` : '';
        context.addIssue(`${which}${mistake}${hasComma ? `; ${IN_FILE}` : ''}`);
      });
      if (new Set(secrets).size < secrets.length) context.addIssue('has the same secret twice');
      if (secrets.length > MAX_SECRETS) context.addIssue(`must have at most ${MAX_SECRETS} secrets`);
      return secrets;
    })
    .prefault('');

/** The rule for secrets that sign tokens. */
export const signingSecrets = secretList((secret) =>
  Buffer.byteLength(secret) < 32 ? 'must be at least 32 bytes' : undefined,
);
