import { fillOf, isIndeterminate, type WatchedJob } from './view.js';

/** Hides an element visually, but not from screen readers. */
export const VISUALLY_HIDDEN = {
  position: 'absolute',
  width: '1px',
  height: '1px',
  overflow: 'hidden',
  clipPath: 'inset(50%)',
  whiteSpace: 'nowrap',
} as const;

/** The bar of a component. The colour of the text is readable on a light and on a dark page. */
export const BAR_STYLE = {
  background: 'color-mix(in srgb, currentColor 15%, transparent)',
  height: '0.75em',
} as const;

/** Stripes over the whole bar, for a running job with unknown progress. */
const STRIPES = 'repeating-linear-gradient(135deg, currentColor 0 0.3em, transparent 0.3em 0.9em)';

/** The filled part of the bar. */
export const fillStyle = (job: WatchedJob): { background: string; height: string; width: string } =>
  isIndeterminate(job)
    ? { background: STRIPES, height: '100%', width: '100%' }
    : { background: 'currentColor', height: '100%', width: `${100 * fillOf(job)}%` };
