import { CONTENT, RECORD } from '../record.js';
import { isFileId } from '../reference.js';
import type { StoredObject } from './bucket.js';

/**
 * The objects of a file: `<id>/content`, `<id>/file.json`, which is written last, and empty objects `<id>/used-<time>`, whose
 * names say when the file was used. Its last use is the latest of them, so processes that use a file at the same moment never
 * undo one another's change, and a listing shows which files have expired without reading any.
 */
export interface FileObjects {
  id: string;
  objects: StoredObject[];
  content: StoredObject | undefined;
  /** Whether content and record are there. */
  isComplete: boolean;
  /** The last use in ms since 1970, by Redis' clock. Without a mark (as in a copy of a folder), when the record was stored. */
  usedAt: number;
  /** When the newest of the objects was stored, by the clock of the storage. */
  changedAt: number;
}

export const contentKey = (id: string): string => `${id}/${CONTENT}`;
export const recordKey = (id: string): string => `${id}/${RECORD}`;
/** @param at ms since 1970; with 15 digits, so that the keys are in the order of the times */
export const useKey = (id: string, at: number): string =>
  `${id}/used-${String(Math.max(0, Math.ceil(at))).padStart(15, '0')}`;

const USE = /^[^/]+\/used-(\d{15})$/;

/** Returns the time in the key of a mark; `undefined` for any other key. */
export const useIn = (key: string): number | undefined => {
  const time = USE.exec(key)?.[1];
  return time === undefined ? undefined : Number(time);
};

export function describeFile(id: string, objects: StoredObject[]): FileObjects {
  const content = objects.find(({ key }) => key === contentKey(id));
  const record = objects.find(({ key }) => key === recordKey(id));
  const uses = objects.flatMap(({ key }) => useIn(key) ?? []);
  return {
    id,
    objects,
    content,
    isComplete: content !== undefined && record !== undefined,
    usedAt: uses.length > 0 ? Math.max(...uses) : (record?.modifiedAt ?? 0),
    changedAt: Math.max(0, ...objects.map(({ modifiedAt }) => modifiedAt)),
  };
}

/** Groups objects, in the order of their keys, by file. Objects of other programs are left out. */
export async function* filesIn(objects: AsyncIterable<StoredObject>): AsyncGenerator<FileObjects> {
  let id = '';
  let group: StoredObject[] = [];
  for await (const object of objects) {
    const [first = '', ...rest] = object.key.split('/');
    if (!isFileId(first) || rest.length !== 1) continue;
    if (first !== id && group.length > 0) yield describeFile(id, group);
    if (first !== id) group = [];
    id = first;
    group.push(object);
  }
  if (group.length > 0) yield describeFile(id, group);
}
