/** The letters beyond ASCII of languages that are written in Windows-1252, in lower case. */
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

/** Windows-1252 gives 0x80 to 0x9F to these; the rest is as in Unicode. Five bytes of them have no meaning. */
const C1 = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';

const isLetter = (char: string | undefined): boolean => char !== undefined && /\p{L}/u.test(char);

/**
 * Whether bytes that are not UTF-8 are Windows-1252 beyond reasonable doubt: their letters are those of one Western
 * language and stand as letters do. Windows-1250 (Czech, Polish), 1251 (Cyrillic), Shift_JIS and their like would
 * become other letters without any error, so anything less clear is not guessed.
 */
export function createWesternCheck() {
  const letters = new Set<string>();
  let plausible = true;
  return {
    add(chunk: Buffer): void {
      if (!plausible) return;
      const text = chunk.toString('latin1').replace(/[\x80-\x9f]/g, (byte) => C1[byte.charCodeAt(0) - 0x80]!);
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
