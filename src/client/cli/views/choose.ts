import { print, say } from '../output.js';
import { createPaint, hasColours } from '../terminal/colour.js';
import { createJsonView } from './json.js';
import { createLiveView } from './live.js';
import { createPlainView } from './plain.js';
import type { View } from './view.js';

/** Whether lines can be drawn over: not in the log of a build (`CI`), nor where the terminal is a dumb one. */
const isLive = ({ CI, TERM }: NodeJS.ProcessEnv): boolean =>
  Boolean(process.stderr.isTTY) && TERM !== 'dumb' && (!CI || CI === 'false');

/** The view that fits where the output goes: what is said goes to standard error, so that the result can be piped. */
export function chooseView(json: boolean): View {
  if (json) return createJsonView(print, say);
  const paint = createPaint(hasColours(process.stderr));
  return isLive(process.env) ? createLiveView(process.stderr, paint) : createPlainView(say, paint);
}
