import { describe, expect, it } from 'vitest';
import { decodeText } from '../../../src/shared/process/text-file.js';

const TEXT = '{"name":"Müller 報告 😀"}';
const utf16be = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16();

describe('decodeText', () => {
  it.each([
    ['UTF-8', Buffer.from(TEXT)],
    ['UTF-8 with a byte order mark, as Windows programs write it', Buffer.from(`\ufeff${TEXT}`)],
    ['UTF-16, as PowerShell writes it', Buffer.from(`\ufeff${TEXT}`, 'utf16le')],
    ['UTF-16, big-endian', utf16be(`\ufeff${TEXT}`)],
  ])('reads %s', (_encoding, bytes) => {
    expect(decodeText(bytes)).toBe(TEXT);
  });

  it('reads an empty file, and one with only a byte order mark', () => {
    expect(decodeText(Buffer.alloc(0))).toBe('');
    expect(decodeText(Buffer.from('\ufeff'))).toBe('');
  });

  it.each([
    ['bytes in another encoding', Buffer.from('M\xfcller', 'latin1')],
    ['half a character of UTF-8', Buffer.from('ü').subarray(0, 1)],
    ['half a character of UTF-16', Buffer.from('\ufeffa', 'utf16le').subarray(0, 3)],
  ])('throws a TypeError for %s', (_what, bytes) => {
    expect(() => decodeText(bytes)).toThrow(TypeError);
  });
});
