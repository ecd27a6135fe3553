/** The non-ASCII letters of languages that use Windows-1252, one set per language, in lower case. */
const ALPHABETS = [
  'äöüßéèà',
  'àâçéèêëîïôùûüÿœæ',
  'áéíóúüñç',
  'áâãàçéêíóôõúü',
  'àèéìíîòóùú',
  'æøåéèäöü',
  'éëïóöüèáíêç',
  'áéíóúäöüñçß',
].map((letters) => new Set(letters));

/** The characters 0x80 to 0x9F of Windows-1252; five of them are undefined. All others are the same as in Unicode. */
const C1 = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';

const isLetter = (char: string | undefined): boolean => char !== undefined && /\p{L}/u.test(char);

/**
 * Checks whether bytes that are not UTF-8 are almost certainly Windows-1252: the letters belong to one Western language
 * and occur where letters do. Text in Windows-1250 (Czech, Polish), 1251 (Cyrillic) or Shift_JIS could be decoded without
 * an error too, but to wrong letters, so a doubtful file is not guessed.
 */
export function createWesternCheck() {
  const letters = new Set<string>();
  let plausible = true;
  return {
    add(chunk: Buffer): void {
      if (!plausible) return;
      const text = chunk
        .toString('latin1')
        .replace(/[\x80-\x9f]/g, (byte) => C1[byte.charCodeAt(0) - 0x80] ?? byte);
      for (const { 0: run, index } of text.matchAll(/[^\0-\x7f]+/g)) {
        const characters = [...run];
        if (characters.some((char) => char >= '\x80' && char < '\xa0')) plausible = false;
        if (characters.length > 3 && characters.every(isLetter)) plausible = false;
        characters.forEach((char, i) => {
          if (isLetter(char) && !/[ªº]/.test(char)) {
            letters.add(char.toLowerCase());
            return;
          }
          const before = i === 0 ? text[index - 1] : characters[i - 1];
          const after = text[index + i + 1];
          if (!/[’ªº]/.test(char) && isLetter(before) && isLetter(after)) plausible = false;
        });
      }
    },
    verdict: (): boolean =>
      plausible && ALPHABETS.some((alphabet) => [...letters].every((letter) => alphabet.has(letter))),
  };
}
