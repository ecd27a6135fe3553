import type { Message } from '../../../client/labels/index.js';
import { fillMessage } from '../../../client/labels/message.js';
import { en, type Words } from './en';

/** The words in the visitor's language. They are chosen before the page is drawn, and do not change. */
export const words: Words = { ...en };

/** The language of the words. */
export const wordsLanguage = (): string => words.labels.lang;

/** Fills in the placeholders of a message. The first number selects the form of a message that has several. */
export const fill = (message: Message, values: Readonly<Record<string, string | number>> = {}): string =>
  fillMessage(wordsLanguage(), message, values);
