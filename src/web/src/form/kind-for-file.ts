import type { Definition } from '../api';
import { type Field, fieldsOf } from './fields';

/** The field of a kind of job that a file goes into. */
export const fileFieldOf = (definition: Definition): Field | undefined =>
  fieldsOf(definition)?.find(({ kind }) => kind === 'file');

/** What a file's name and media type say of it: `photo.PNG`, `image/png` → image, png. */
function wordsOf({ name, type }: Pick<File, 'name' | 'type'>): string[] {
  const extension = /\.([a-z0-9]{2,5})$/i.exec(name)?.[1] ?? '';
  const [group = '', form = ''] = type.split('/');
  const words = ['application', 'text'].includes(group) ? [extension, form] : [extension, group, form];
  return words.filter(Boolean).map((word) => word.toLowerCase());
}

/**
 * The kind of job that a file is most likely for: one whose name has a word of what the file is, or whose description
 * has, else any that takes a file. Pure.
 * @param chosen the one that the visitor has chosen: if it takes a file, it is that
 */
export function kindForFile(
  definitions: Definition[],
  file: Pick<File, 'name' | 'type'>,
  chosen?: string,
): Definition | undefined {
  const takers = definitions.filter(fileFieldOf);
  const words = wordsOf(file);
  const has = (text = ''): boolean => words.some((word) => text.toLowerCase().includes(word));
  return (
    takers.find(({ name }) => name === chosen) ??
    takers.find(({ name }) => has(name)) ??
    takers.find(({ description }) => has(description)) ??
    takers[0]
  );
}
