import fc from 'fast-check';
import { expect, it } from 'vitest';
import { cleanFileName } from '../../../src/shared/files/name.js';
import { fileIdsIn, isFileId } from '../../../src/shared/files/reference.js';
import { anyText } from '../../support/any-text.js';

it('cleanFileName returns a short, visible name without a folder for any input', () => {
  fc.assert(
    fc.property(anyText({ maxLength: 400 }), (name) => {
      const clean = cleanFileName(name);
      expect(clean.length).toBeGreaterThan(0);
      expect(Buffer.byteLength(clean)).toBeLessThanOrEqual(200);
      expect(clean).not.toMatch(/[/\\"<>|:*?\p{Cc}]/u);
      expect(clean).not.toMatch(/^\.+$/);
      expect(cleanFileName(clean)).toBe(clean);
    }),
  );
});

it('cleanFileName keeps the extension of a long name', () => {
  expect(cleanFileName(`${'ä'.repeat(300)}.csv`)).toMatch(/^ä+\.csv$/);
});

it('fileIdsIn finds all file ids in a result, and nothing else', () => {
  const id = `file_${'A'.repeat(27)}`;
  expect(fileIdsIn({ a: [{ b: id }], c: `x${id}`, d: 'file_short', 'e/f': null })).toEqual([
    { id, pointer: '/a/0/b' },
  ]);
  for (const wrong of ['../x', `file_${'A'.repeat(26)}/`, `file_${'A'.repeat(28)}`, 7, null])
    expect(isFileId(wrong)).toBe(false);
  const loop: Record<string, unknown> = { file: id };
  Object.assign(loop, { a: loop, b: loop });
  expect(fileIdsIn(loop)).toEqual([{ id, pointer: '/file' }]);
  let nested: unknown = id;
  for (let i = 0; i < 500; i++) nested = { a: nested };
  expect(fileIdsIn(nested)).toEqual([{ id, pointer: '/a'.repeat(500) }]);
  let deep: unknown = id;
  for (let i = 0; i < 5000; i++) deep = [deep];
  expect(fileIdsIn(deep)).toEqual([]);
});
