/** The properties of an output stream that determine its colours. */
export interface Surface {
  isTTY?: boolean | undefined;
}

type Env = Record<string, string | undefined>;

const CODES = { red: 31, green: 32, yellow: 33, cyan: 36, dim: 2, bold: 1 } as const;

/** Applies a style to a text, if colours are enabled. */
export type Paint = (style: keyof typeof CODES, text: string) => string;

/**
 * Whether to use colours. `FORCE_COLOR` (`0` and `false` disable them) takes precedence over `NO_COLOR`
 * (https://no-color.org), which takes precedence over the kind of stream.
 */
export function hasColours(stream: Surface, env: Env = process.env): boolean {
  const forced = env.FORCE_COLOR;
  if (forced !== undefined) return forced !== '0' && forced !== 'false';
  if (env.NO_COLOR) return false;
  return Boolean(stream.isTTY) && env.TERM !== 'dumb';
}

export const createPaint = (colours: boolean): Paint =>
  colours ? (style, text) => (text ? `\x1b[${CODES[style]}m${text}\x1b[0m` : text) : (_, text) => text;
