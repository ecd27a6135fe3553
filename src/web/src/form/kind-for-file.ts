import type { Definition } from '../api';
import { type Field, fieldsOf } from './fields';

/** The field of a kind of job that takes a file. */
export const fileFieldOf = (definition: Definition): Field | undefined =>
  fieldsOf(definition)?.find(({ kind }) => kind === 'file');

/** The words that describe a file, from its name and media type: `photo.PNG`, `image/png` → image, png. */
function keywordsOf({ name, type }: Pick<File, 'name' | 'type'>): string[] {
  const extension = /\.([a-z0-9]{2,5})$/i.exec(name)?.[1] ?? '';
  const [group = '', form = ''] = type.split('/');
  const words = ['application', 'text'].includes(group) ? [extension, form] : [extension, group, form];
  return words.filter(Boolean).map((word) => word.toLowerCase());
}

/**
 * Returns the kind of job that most likely fits a file: one with a keyword of the file in its name, then in its
 * description, then any kind that takes a file. Pure.
 * @param chosen the kind that the visitor selected; preferred if it takes a file
 */
export function kindForFile(
  definitions: Definition[],
  file: Pick<File, 'name' | 'type'>,
  chosen?: string,
): Definition | undefined {
  const candidates = definitions.filter(fileFieldOf);
  const words = keywordsOf(file);
  const has = (text = ''): boolean => words.some((word) => text.toLowerCase().includes(word));
  return (
    candidates.find(({ name }) => name === chosen) ??
    candidates.find(({ name }) => has(name)) ??
    candidates.find(({ description }) => has(description)) ??
    candidates[0]
  );
}
