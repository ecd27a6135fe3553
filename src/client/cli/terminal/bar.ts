import { amount, isBytes } from '../../format.js';
import type { Timing } from '../../pace.js';
import type { Progress } from '../../types.js';
import type { Paint } from './colour.js';
import { columnsOf, cut, safeLine } from './text.js';
import { clock } from './units.js';

/** Progress, and the times to show with it. */
export type ShownProgress = Progress & Pick<Timing, 'elapsedMs' | 'stalledMs'>;

const MAX_BAR = 30;
const MIN_BAR = 5;
/** A message is shown only if there is room for this many columns of it. */
const MIN_MESSAGE = 8;

/** The parts of a line of progress, the most important first. */
function pieces(progress: ShownProgress): string[] {
  const { percent, stage, stageIndex, stageCount = 0, current, total, unit, ratePerSecond, etaMs } = progress;
  const { elapsedMs, stalledMs } = progress;
  const counts =
    current === undefined ? '' : amount(current) + (total === undefined ? '' : `/${amount(total)}`);
  return [
    percent === null ? '' : `${Math.floor(percent)}%`.padStart(4),
    stalledMs !== undefined
      ? `stalled for ${clock(stalledMs)}`
      : etaMs === undefined || percent === 100
        ? ''
        : `${clock(etaMs)} left`,
    stage ? safeLine(stage) + (stageIndex && stageCount > 1 ? ` (${stageIndex}/${stageCount})` : '') : '',
    isBytes(unit) && current !== undefined
      ? amount(current, unit) + (total === undefined ? '' : ` of ${amount(total, unit)}`)
      : counts + (counts && unit ? ` ${safeLine(unit)}` : ''),
    ratePerSecond === undefined ? '' : `${amount(ratePerSecond, isBytes(unit) ? unit : undefined)}/s`,
    elapsedMs === undefined ? '' : `${clock(elapsedMs)} elapsed`,
  ];
}

/** Returns progress as one line of text without a bar. */
export function progressText(progress: ShownProgress, columns = Number.POSITIVE_INFINITY): string {
  const [percent = '', eta = '', stage = '', counts = '', rate = '', elapsed = ''] = fitting(
    pieces(progress),
    columns,
  );
  const text = [percent, stage, counts, rate, eta, elapsed].filter(Boolean).join('  ');
  const room = columns - columnsOf(text) - 2;
  const message = progress.message && room >= MIN_MESSAGE ? cut(safeLine(progress.message), room) : '';
  return [text, message].filter(Boolean).join('  ') || 'running';
}

/**
 * Returns progress as one line with a bar, at most `columns` wide. In a narrow terminal, the less important parts are
 * dropped first, then the bar.
 * @param now moves the bar of a job with unknown progress, in ms; `undefined` after the job's end
 */
export function progressBar(
  progress: ShownProgress,
  columns: number,
  paint: Paint,
  now: number | undefined,
): string {
  const wanted = columnsOf(progressText({ ...progress, message: '' }));
  const width = Math.min(MAX_BAR, Math.max(columns - wanted - 1, Math.min(MAX_BAR, Math.floor(columns / 4))));
  if (width < MIN_BAR) return progressText(progress, columns);
  return `${drawBar(progress.percent, width, paint, now)} ${progressText(progress, columns - width - 1)}`;
}

function drawBar(percent: number | null, width: number, paint: Paint, now: number | undefined): string {
  if (percent === null) {
    if (now === undefined) return paint('dim', '░'.repeat(width));
    const place = Math.floor(now / 100) % width;
    return paint('dim', '░'.repeat(place)) + paint('cyan', '█') + paint('dim', '░'.repeat(width - place - 1));
  }
  const done = Math.floor((percent / 100) * width);
  return paint(percent === 100 ? 'green' : 'cyan', '█'.repeat(done)) + paint('dim', '░'.repeat(width - done));
}

/** Keeps each part that still fits beside the earlier ones. The others become empty. */
function fitting(all: string[], columns: number): string[] {
  let used = 0;
  return all.map((piece) => {
    const needed = piece ? columnsOf(piece) + (used > 0 ? 2 : 0) : 0;
    if (used + needed > columns) return '';
    used += needed;
    return piece;
  });
}
