import { print, printMessage } from '../output.js';
import { createPaint, hasColours } from '../terminal/colour.js';
import { createJsonView } from './json.js';
import { createLiveView } from './live.js';
import { createPlainView } from './plain.js';
import type { View } from './view.js';

/** Whether a line can be redrawn: not in the log of a build (`CI`), and not in a dumb terminal. */
const isLive = ({ CI, TERM }: NodeJS.ProcessEnv): boolean =>
  Boolean(process.stderr.isTTY) && TERM !== 'dumb' && (!CI || CI === 'false');

/** Returns the view for the kind of output. Views write to standard error, so that the result can be piped. */
export function chooseView(json: boolean): View {
  if (json) return createJsonView(print, printMessage);
  const paint = createPaint(hasColours(process.stderr));
  return isLive(process.env) ? createLiveView(process.stderr, paint) : createPlainView(printMessage, paint);
}
