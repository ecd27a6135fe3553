/** The properties of a principal that a pattern may refer to. */
export interface PatternValues {
  sub?: string | undefined;
  tenant?: string | undefined;
}

const PATTERN = /^(?:[A-Za-z0-9._:~@/-]|\*|\{sub\}|\{tenant\}){1,200}$/;

/** Limits the backtracking of the regular expression. */
const MAX_WILDCARDS = 3;

/** Returns whether a text is a pattern: a channel name with up to three `*` or `**`, and any number of `{sub}` and `{tenant}`. */
export const isPattern = (text: string): boolean =>
  PATTERN.test(text) && (text.match(/\*+/g) ?? []).length <= MAX_WILDCARDS;

/**
 * Returns whether a channel name matches a pattern. `*` matches any characters but dots and slashes, `**` any characters but
 * slashes. `{sub}` and `{tenant}` match the principal's value exactly; without that value, the pattern matches nothing.
 */
export function matches(pattern: string, name: string, values: PatternValues = {}): boolean {
  let source = '';
  for (const [token] of pattern.matchAll(/\*\*|\*|\{sub\}|\{tenant\}|[^*{]+/g)) {
    if (token === '**') source += '[^/]*';
    else if (token === '*') source += '[^./]*';
    else if (token === '{sub}' || token === '{tenant}') {
      const value = token === '{sub}' ? values.sub : values.tenant;
      if (!value) return false;
      source += literal(value);
    } else source += literal(token);
  }
  return new RegExp(`^${source}$`).test(name);
}

const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
