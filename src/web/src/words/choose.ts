import type { Words } from './en';
import { words } from './index';

/** The languages other than English. They are loaded when they are needed. */
const LANGUAGES: Record<string, () => Promise<Words>> = {
  de: async () => (await import('./de')).de,
  ja: async () => (await import('./ja')).ja,
};

const KEY = 'headway.lang';

/**
 * Returns the language to use: that of the address (`?lang=`), the remembered one, or the first one of the browser that
 * the page has. Pure.
 * @param wanted languages (BCP 47), the preferred one first
 */
export function chooseLanguage(wanted: readonly (string | null | undefined)[]): string {
  const bases = wanted.map((lang) => lang?.toLowerCase().split('-')[0]);
  return bases.find((base) => base === 'en' || (base && Object.hasOwn(LANGUAGES, base))) ?? 'en';
}

/** Reads the language of the address and remembers it for the other pages, whose links do not have it. */
function preferred(): string | null {
  const asked = new URLSearchParams(location.search).get('lang');
  try {
    if (asked) localStorage.setItem(KEY, asked);
    else if (asked === '') localStorage.removeItem(KEY);
    return asked || localStorage.getItem(KEY);
  } catch {
    // Without storage, only this page is in the language.
    return asked;
  }
}

/** Chooses the words of the page. If they cannot be loaded, the page is in English. */
export async function chooseWords(): Promise<void> {
  const lang = chooseLanguage([preferred(), ...navigator.languages]);
  const load = LANGUAGES[lang];
  const loaded = await load?.().catch(() => undefined);
  if (loaded) Object.assign(words, loaded);
  document.documentElement.lang = words.labels.lang;
}
