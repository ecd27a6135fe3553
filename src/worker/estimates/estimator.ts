import type { Expected, Forecast } from './forecast.js';

/** The speed of a run is averaged over this share of its time so far, and at least over this time in ms. */
const [RECENT_SHARE, RECENT_MS] = [0.3, 3000];
/** Reports closer together than this do not change the speed, in ms. */
const MIN_INTERVAL_MS = 50;
/** The spread of the speed of a run that proceeds like the earlier ones. */
const OWN_SPREAD = 0.1;
/** A run beyond this distance from the earlier ones, in standard deviations, is taken for a different one. */
const OUTLIER = 3;
/** A share of the time below which the speed says nothing, and a remaining share that counts as the end. */
const MIN_SHARE = 0.001;

/**
 * Estimates how long one run still takes: at first from the earlier runs of its kind, then more and more from its own speed.
 * How soon depends on the earlier runs: on how much their durations differed, and on how even their progress was. Times
 * are in ms since the start of the run.
 */
export class Estimator {
  private percent: number | null = null;
  private total: number | undefined;
  private expected: Expected | undefined;
  /** The newest progress, as a share of the usual time, and its spread. */
  private reached = { share: 0, spread: 0, ms: 0 };
  /** The progress that last changed the speed. */
  private measured: { share: number; ms: number } | undefined;
  /** In shares per ms. */
  private speed: number | undefined;

  constructor(private readonly forecast: Forecast) {
    this.expected = forecast.duration(undefined);
  }

  add(percent: number | null, total: number | undefined, ms: number): void {
    if (this.total === undefined && total) {
      this.total = total;
      this.expected = this.forecast.duration(total);
    }
    if (percent === null || percent === this.percent) return;
    this.percent = percent;
    const { share, spread } = this.forecast.usedAt(percent);
    this.reached = { share, spread, ms };
    this.measure();
  }

  /** Returns the remaining time in ms; `undefined` if nothing can be said. */
  left(now: number): number | undefined {
    if (!this.percent) return this.forecast.leftOfSilent(now, this.total);
    const { share, ms } = this.reached;
    if (1 - share < MIN_SHARE) return 0;
    const left = this.blended(1 - share);
    return left === undefined || left < now - ms ? undefined : left - (now - ms);
  }

  /** @param rest the remaining share of the usual time */
  private blended(rest: number): number | undefined {
    const own = this.own(rest);
    if (!this.expected) return this.speed === undefined ? undefined : own;
    const usual = this.expected.ms * rest;
    if (own === undefined) return usual;
    const ownVariance = this.reached.spread ** 2 + OWN_SPREAD ** 2;
    const usualVariance = this.expected.spread ** 2;
    const distance = Math.log(own / usual) ** 2 / (ownVariance + usualVariance);
    const usualWeight = (1 + OUTLIER) / (distance + OUTLIER) / usualVariance;
    const ownWeight = 1 / ownVariance;
    return Math.exp((Math.log(usual) * usualWeight + Math.log(own) * ownWeight) / (usualWeight + ownWeight));
  }

  /** The remaining time from the average and the recent speed of the run itself. */
  private own(rest: number): number | undefined {
    const { share, ms } = this.reached;
    if (share < MIN_SHARE || ms <= 0) return undefined;
    const average = (ms / share) * rest;
    return this.speed ? Math.sqrt((average * rest) / this.speed) : average;
  }

  private measure(): void {
    const { reached, measured } = this;
    const elapsed = reached.ms - (measured?.ms ?? 0);
    if (measured && elapsed < MIN_INTERVAL_MS) return;
    if (measured) {
      const speed = Math.max(0, reached.share - measured.share) / elapsed;
      const span = Math.max(RECENT_MS, RECENT_SHARE * reached.ms);
      const weight = this.speed === undefined ? 1 : 1 - Math.exp(-elapsed / span);
      this.speed = weight * speed + (1 - weight) * (this.speed ?? 0);
    }
    this.measured = reached;
  }
}
