/** What of a principal may stand in a pattern. */
export interface PatternValues {
  sub?: string | undefined;
  tenant?: string | undefined;
}

const PATTERN = /^(?:[A-Za-z0-9._:~@/-]|\*|\{sub\}|\{tenant\}){1,200}$/;

/** More than that would let a pattern take its time (its expression backtracks). */
const MAX_WILDCARDS = 3;

/** Whether a text is a pattern: a channel's name in which `*`, `**` (three of them at most), `{sub}` and `{tenant}` may stand. */
export const isPattern = (text: string): boolean =>
  PATTERN.test(text) && (text.match(/\*+/g) ?? []).length <= MAX_WILDCARDS;

/**
 * Whether a channel's name fits a pattern. `*` is any part of a name without a dot, `**` any part with dots too (the
 * slash after a tenant is in neither), `{sub}` and `{tenant}` are the principal's own, letter for letter: one that has none fits nothing.
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
