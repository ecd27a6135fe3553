import type { Labels } from '../labels/types.js';

/** The words of a language, or a function that loads them. */
type Language = Partial<Labels> | (() => Promise<Partial<Labels>>);

/** Words by language (BCP 47). */
export type Languages = Record<string, Language | undefined>;

/** The languages of the element. Pages add theirs. */
export const languages: Languages = {
  de: async () => (await import('../labels/de.js')).default,
  ja: async () => (await import('../labels/ja.js')).default,
};

/** Returns the words for the language of a page: for `de-AT`, those of `de-AT`, otherwise those of `de`. */
export function languageOf(lang: string): Language | undefined {
  const tags = Object.keys(languages);
  for (let wanted = lang.toLowerCase(); wanted; wanted = wanted.replace(/-?[^-]*$/, '')) {
    const found = tags.find((tag) => tag.toLowerCase() === wanted);
    if (found) return languages[found];
  }
  return undefined;
}
