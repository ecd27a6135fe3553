import { createHash } from 'node:crypto';

/**
 * The id of a child: the same in every attempt of its parent.
 * @param call the key that the parent gives it, or the number of the call
 */
export function childId(queue: string, parentId: string, name: string, call: string | number): string {
  // JSON keeps the parts apart, and the key "1" from the first call.
  const digest = createHash('sha256')
    .update(JSON.stringify([parentId, name, call]))
    .digest('hex');
  return `${queue}.${digest.slice(0, 32)}`;
}
