/** What replaces a secret in a log. */
const REDACTED = '[redacted]';

/** Shorter configured secrets are not searched for: they would also match ordinary text. */
const MIN_SECRET = 6;

/** The forms of secrets that callers and operators use, whatever their value is, and what is shown instead. */
const FORMS: Array<[RegExp, string]> = [
  // A JWT (RFC 7519): the token of a job or of a user. Each part is base64url, and the first one begins with `{"`.
  [/eyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?/g, REDACTED],
  // An API key. Its id is not secret.
  [/hwk_([a-z0-9]{12})_[\w-]{20,}/g, `hwk_$1_${REDACTED}`],
  // The secret of a webhook.
  [/whsec_[\w+/=-]{8,}/g, `whsec_${REDACTED}`],
  // User name and password in a URL.
  [/:\/\/[^\s/?#"\\]*@/g, `://${REDACTED}@`],
];
/** A text that contains none of these has no secret in one of the {@link FORMS}. */
const MAYBE = /eyJ|hwk_|whsec_|@/;

/**
 * Characters that JSON leaves as they are, but a terminal obeys or a viewer of logs takes for the end of a line: DEL, C1
 * controls, line separators, and the marks that change the direction of text.
 */
const UNSAFE = /[\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** The secrets of this process, which can have any form, and the pattern that finds them. */
const secrets = new Set<string>();
let known: RegExp | undefined;

/** Hides secrets in every log of this process from now on. */
export function hideInLogs(...texts: string[]): void {
  for (const text of texts) if (text.length >= MIN_SECRET) secrets.add(text);
  // A secret that contains another one is replaced first.
  const spellings = [...secrets]
    .sort((a, b) => b.length - a.length)
    .flatMap((secret) => [...new Set([escapedAsJson(secret), encodeURIComponent(secret)])]);
  known = secrets.size > 0 ? new RegExp(spellings.map(escapedAsPattern).join('|'), 'g') : undefined;
}

/**
 * Removes secrets from a line of JSON. This is the last step before a line is written, so it covers whatever part of the
 * program has made the line.
 */
export function redact(line: string): string {
  let safe = known ? line.replace(known, REDACTED) : line;
  if (MAYBE.test(safe)) for (const [form, shown] of FORMS) safe = safe.replace(form, shown);
  return safe.replace(UNSAFE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const escapedAsJson = (text: string): string => JSON.stringify(text).slice(1, -1);

const escapedAsPattern = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/** Settings whose whole value is secret. Several values may be separated by commas. */
const SECRET_SETTING = /(SECRET|TOKEN|PASSWORD)$/;
/** Settings with a URL that may contain a password, or is itself a secret. */
const SECRET_URL = /^(REDIS_URL|JWT_JWKS_URL|ALERT_WEBHOOK_URL)$/;

/** Returns whether the value of a setting must not be shown. */
export const isSecretSetting = (name: string): boolean => SECRET_SETTING.test(name) || SECRET_URL.test(name);

/** Returns the secrets in a configuration. */
export function secretsOf(config: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(config).flatMap(([name, value]) => {
    // A setting can have several secrets, while they are replaced.
    if (SECRET_SETTING.test(name)) return [value].flat().filter((secret) => typeof secret === 'string');
    return SECRET_URL.test(name) && typeof value === 'string' ? secretsInUrl(name, value) : [];
  });
}

/** Returns the password of a URL, as written and decoded. The path of a URL for alerts is a secret as well: Slack's is. */
function secretsInUrl(name: string, text: string): string[] {
  if (name === 'REDIS_URL') {
    // A list of Sentinels is not a valid URL.
    const [, password = ''] = /^[a-z+]+:\/\/[^/:]*:([^/]*)@/.exec(text) ?? [];
    return [password, decoded(password)];
  }
  if (!URL.canParse(text)) return [];
  const { password, pathname, search } = new URL(text);
  const path = name === 'ALERT_WEBHOOK_URL' && pathname !== '/' ? [pathname + search, pathname] : [];
  return [password, decoded(password), ...path];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
