import { isIP } from 'node:net';
import { hostOf, hostPatterns, matchesHost } from '../host-patterns.js';
import { addressKind } from './address.js';

/** Which addresses webhooks may call. */
export interface WebhookPolicy {
  /** Host names as in `URL.hostname`; `*.` before a name for its subdomains, `*` for all. Empty: webhooks are disabled. */
  hosts: string[];
  allowPrivate: boolean;
}

/** Returns the policy of a configuration. */
export const webhookPolicy = (config: {
  WEBHOOK_HOSTS: string;
  WEBHOOK_ALLOW_PRIVATE: boolean;
}): WebhookPolicy => ({
  hosts: hostPatterns(config.WEBHOOK_HOSTS) ?? [],
  allowPrivate: config.WEBHOOK_ALLOW_PRIVATE,
});

/**
 * Returns why a URL must not be called; `undefined` if it may be. The host is not resolved: its addresses are checked by
 * {@link addressRefusal} when the connection is made.
 */
export function urlRefusal(text: string, policy: WebhookPolicy): string | undefined {
  if (!URL.canParse(text)) return 'must be an absolute URL, such as https://example.com/hook';
  // Checks are made on the parsed URL: the parser removes ignored characters and normalizes decimal, octal and hexadecimal
  // hosts.
  const url = new URL(text);
  const { protocol, username, password } = url;
  if (protocol !== 'https:' && protocol !== 'http:') return 'must begin with https://';
  if (protocol === 'http:' && !policy.allowPrivate) {
    return 'must begin with https:// (http:// is only for private addresses, with WEBHOOK_ALLOW_PRIVATE)';
  }
  if (username || password) {
    return 'must not contain a user name or password: receivers authenticate a call by its signature';
  }
  const host = hostOf(url);
  if (!matchesHost(host, policy.hosts)) {
    return `the host ${host.slice(0, 100)} is not allowed by WEBHOOK_HOSTS`;
  }
  const address = literalAddress(url);
  return address === undefined ? undefined : addressRefusal(address, protocol, policy);
}

/** Returns why an address of a URL's host must not be connected to; `undefined` if it may be. */
export function addressRefusal(address: string, protocol: string, policy: WebhookPolicy): string | undefined {
  const kind = addressKind(address);
  if (kind === 'forbidden') return 'the host has a forbidden address (link-local, reserved, …)';
  if (kind === 'private' && !policy.allowPrivate) {
    return 'the host has a private address, and WEBHOOK_ALLOW_PRIVATE is not set';
  }
  if (kind === 'public' && protocol === 'http:') return 'must begin with https:// for a public address';
  return undefined;
}

/** Returns the IP address of a URL's host if it is known without a resolver. */
function literalAddress(url: URL): string | undefined {
  const host = hostOf(url);
  if (host === 'localhost' || host.endsWith('.localhost')) return '127.0.0.1';
  const bare = host.replace(/^\[|\]$/g, '');
  return isIP(bare) ? bare : undefined;
}
