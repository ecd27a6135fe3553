/** The result of a check. */
export interface Finding {
  level: 'ok' | 'warning' | 'problem' | 'skipped';
  /** What was checked. */
  check: string;
  /** What was found. */
  found: string;
  /** How to fix it. */
  advice?: string;
}

export const ok = (check: string, found: string): Finding => ({ level: 'ok', check, found });
export const warning = (check: string, found: string, advice: string): Finding => ({
  level: 'warning',
  check,
  found,
  advice,
});
export const problem = (check: string, found: string, advice: string): Finding => ({
  level: 'problem',
  check,
  found,
  advice,
});
export const skipped = (check: string, found: string, advice: string): Finding => ({
  level: 'skipped',
  check,
  found,
  advice,
});
