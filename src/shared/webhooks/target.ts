import { isIP } from 'node:net';
import { addressKind } from './address.js';

/** Which addresses webhooks may call. */
export interface WebhookPolicy {
  /** Host names in the form of `URL.hostname`, `*.` before one for all below it, `*` for all. Empty: webhooks are off. */
  hosts: string[];
  allowPrivate: boolean;
}

/**
 * Reads `WEBHOOK_HOSTS`: host names with commas between.
 * @returns `undefined` when one is none
 */
export function hostPatterns(text: string): string[] | undefined {
  const patterns: string[] = [];
  for (const part of text.split(',').flatMap((entry) => entry.trim() || [])) {
    const [, wildcard = '', name = ''] = /^(\*\.)?([^\s/?#@\\*:]+|\[[0-9A-Fa-f:.]+\])$/.exec(part) ?? [];
    if (part === '*') patterns.push('*');
    else if (URL.canParse(`http://${name}`)) patterns.push(wildcard + hostOf(new URL(`http://${name}`)));
    else return undefined;
  }
  return patterns;
}

/** The policy of a process's configuration. */
export const webhookPolicy = (config: {
  WEBHOOK_HOSTS: string;
  WEBHOOK_ALLOW_PRIVATE: boolean;
}): WebhookPolicy => ({
  hosts: hostPatterns(config.WEBHOOK_HOSTS) ?? [],
  allowPrivate: config.WEBHOOK_ALLOW_PRIVATE,
});

/**
 * Why a URL may not be called; `undefined` when it may, as far as can be told without asking for the host's address:
 * see {@link addressRefusal} for that.
 */
export function urlRefusal(text: string, policy: WebhookPolicy): string | undefined {
  if (!URL.canParse(text)) return 'must be an absolute URL, such as https://example.com/hook';
  // A parser of URLs leaves out what it does not like, and takes a host in decimal, octal or hexadecimal for what it is.
  const url = new URL(text);
  const { protocol, username, password } = url;
  if (protocol !== 'https:' && protocol !== 'http:') return 'must begin with https://';
  if (protocol === 'http:' && !policy.allowPrivate) {
    return 'must begin with https:// (http:// is for private addresses, where WEBHOOK_ALLOW_PRIVATE allows them)';
  }
  if (username || password) {
    return 'must not contain a user name or a password: the receiver knows the call by its signature';
  }
  const host = hostOf(url);
  if (!policy.hosts.some((pattern) => matches(host, pattern))) {
    return `the host ${host.slice(0, 100)} is not among those that the operator allows (WEBHOOK_HOSTS)`;
  }
  const address = literalAddress(url);
  return address === undefined ? undefined : addressRefusal(address, protocol, policy);
}

/** Why an address, the one that the host of a URL with this protocol turned out to have, may not be connected to. */
export function addressRefusal(address: string, protocol: string, policy: WebhookPolicy): string | undefined {
  const kind = addressKind(address);
  if (kind === 'forbidden') return 'the host has an address that is never called (link-local, reserved, …)';
  if (kind === 'private' && !policy.allowPrivate) {
    return 'the host has a private address, and WEBHOOK_ALLOW_PRIVATE is not set';
  }
  if (kind === 'public' && protocol === 'http:') return 'must begin with https:// for a public address';
  return undefined;
}

/** The address that a URL names without a resolver being asked. */
function literalAddress(url: URL): string | undefined {
  const host = hostOf(url);
  if (host === 'localhost' || host.endsWith('.localhost')) return '127.0.0.1';
  const bare = host.replace(/^\[|\]$/g, '');
  return isIP(bare) ? bare : undefined;
}

/** The host without the dot that may end a full name. */
const hostOf = ({ hostname }: URL): string => hostname.replace(/\.$/, '');

function matches(host: string, pattern: string): boolean {
  if (pattern === '*') return true;
  return pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) : host === pattern;
}
