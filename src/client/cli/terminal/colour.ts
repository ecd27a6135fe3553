/** What a stream can show. */
export interface Surface {
  isTTY?: boolean | undefined;
}

type Env = Record<string, string | undefined>;

const CODES = { red: 31, green: 32, yellow: 33, cyan: 36, dim: 2, bold: 1 } as const;

/** Gives a text a colour, where there are colours. */
export type Paint = (style: keyof typeof CODES, text: string) => string;

/**
 * Whether there are colours: `FORCE_COLOR` (`0` and `false` mean none) goes before `NO_COLOR` (https://no-color.org),
 * that before what the stream is.
 */
export function hasColours(stream: Surface, env: Env = process.env): boolean {
  const forced = env.FORCE_COLOR;
  if (forced !== undefined) return forced !== '0' && forced !== 'false';
  if (env.NO_COLOR) return false;
  return Boolean(stream.isTTY) && env.TERM !== 'dumb';
}

export const createPaint = (colours: boolean): Paint =>
  colours ? (style, text) => (text ? `\x1b[${CODES[style]}m${text}\x1b[0m` : text) : (_, text) => text;
