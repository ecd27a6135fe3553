import { number, validLanguage } from '../format.js';
import en from './en.js';
import type { Labels, Message } from './types.js';

const rules = new Map<string, Intl.PluralRules>();

function pluralRules(lang: string): Intl.PluralRules {
  const found = rules.get(lang) ?? new Intl.PluralRules(validLanguage(lang));
  rules.set(lang, found);
  return found;
}

/**
 * Fills in the placeholders of a message. Numbers are formatted for the language, and the first one selects the form of a
 * message that has several. A placeholder without a value stays as it is.
 */
export function fillMessage(
  lang: string,
  message: Message,
  values: Readonly<Record<string, string | number>> = {},
): string {
  const count = Object.values(values).find((value) => typeof value === 'number') ?? 0;
  const text =
    typeof message === 'string' ? message : (message[pluralRules(lang).select(count)] ?? message.other);
  return text.replace(/\{(\w+)\}/g, (placeholder, name: string) => {
    const value = values[name];
    return typeof value === 'number' ? number(value, lang) : (value ?? placeholder);
  });
}

/** Returns labels with English words for those that are missing. */
export function completeLabels(given: Partial<Labels> | undefined): Labels {
  if (!given || given === en) return en;
  return { ...en, ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) };
}
