import { describe, expect, it } from 'vitest';
import type { Message } from '../../src/client/labels/index.js';
import { words } from '../../src/web/src/words';
import { chooseLanguage } from '../../src/web/src/words/choose';
import { de } from '../../src/web/src/words/de';
import { en, type Words } from '../../src/web/src/words/en';
import { ja } from '../../src/web/src/words/ja';

/** All messages of a language, by their path. */
const messagesOf = (given: Words): Map<string, Message> =>
  new Map(
    Object.entries(given).flatMap(([group, messages]) =>
      Object.entries(messages).map(([key, message]): [string, Message] => [`${group}.${key}`, message]),
    ),
  );
const formsOf = (message: Message): string[] =>
  typeof message === 'string' ? [message] : Object.values(message);
const placeholdersOf = (message: Message): string[] =>
  [...new Set(formsOf(message).flatMap((text) => text.match(/\{\w+\}/g) ?? []))].sort();

describe.each([
  ['German', de],
  ['Japanese', ja],
])('the page in %s', (_name, translated) => {
  const english = messagesOf(en);
  const messages = messagesOf(translated);

  it('has each word, with the same placeholders, and no others', () => {
    expect([...messages.keys()]).toEqual([...english.keys()]);
    for (const [path, message] of messages) {
      expect(placeholdersOf(message), path).toEqual(placeholdersOf(english.get(path)!));
      for (const text of formsOf(message)) expect(text.trim(), path).not.toBe('');
    }
  });

  it('has only forms for numbers that the language has', () => {
    const forms = new Intl.PluralRules(translated.labels.lang).resolvedOptions().pluralCategories;
    for (const [path, message] of messages) {
      if (typeof message !== 'string')
        expect(forms, path).toEqual(expect.arrayContaining(Object.keys(message)));
    }
  });
});

it('the page is in the first language that it has, and in English otherwise', () => {
  expect(words.labels.lang).toBe('en');
  expect(chooseLanguage([null, 'de-AT', 'en'])).toBe('de');
  expect(chooseLanguage(['ja', 'de'])).toBe('ja');
  expect(chooseLanguage(['fr', 'en-GB', 'de'])).toBe('en');
  expect(chooseLanguage(['constructor', 'fr', undefined])).toBe('en');
});
