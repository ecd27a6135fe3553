import * as installation from './installation-metrics.js';
import { type AnyInstrument, Counter, Gauge, Histogram } from './instruments.js';
import * as jobs from './job-metrics.js';
import * as process from './process-metrics.js';
import * as streams from './stream-metrics.js';

const isInstrument = (value: unknown): value is AnyInstrument =>
  value instanceof Counter || value instanceof Gauge || value instanceof Histogram;

/** All metrics of Headway, in the order of docs/reference/metrics.md. */
export const instruments: readonly AnyInstrument[] = [jobs, installation, streams, process].flatMap(
  (subject) => Object.values(subject).filter(isInstrument),
);
