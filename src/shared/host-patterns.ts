/** The required form of a list of hosts, as an error message. */
export const HOSTS_FORM =
  'must be a comma-separated list of host names without scheme and port: example.com, *.example.com, or * for all';

/**
 * Parses a comma-separated list of host names, as in `WEBHOOK_HOSTS`: `example.com`, `*.example.com` for all its
 * subdomains, `*` for all hosts.
 * @returns names as in `URL.hostname`, without a trailing dot; `undefined` if one of them is invalid
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

/** Returns the host of a URL without the trailing dot of a fully qualified name. */
export const hostOf = ({ hostname }: URL): string => hostname.replace(/\.$/, '');

/** Whether a host matches one of the patterns from {@link hostPatterns}. */
export const matchesHost = (host: string, patterns: string[]): boolean =>
  patterns.some((pattern) => {
    if (pattern === '*') return true;
    return pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) : host === pattern;
  });
