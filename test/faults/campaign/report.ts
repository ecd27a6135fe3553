import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FaultRecord, Finding } from './records.js';

const MAX_FINDINGS = 5000;
const MAX_RECORDS = 50;
/** A finding is attributed to a fault until this long after it, in ms. */
const BLAME_MS = 8000;

/** Returns the fault at a time, or shortly before it. */
export function blamed(at: number, faults: readonly FaultRecord[]): string {
  const near = (early: number) =>
    faults.findLast(({ from, to }) => from - early <= at && at <= to + BLAME_MS);
  // Reports from just before a fault may not have been sent yet.
  return (near(0) ?? near(1500))?.kind ?? 'calm';
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** Removes repeated findings: after each reset, a viewer may show the same error again. */
const distinct = (findings: readonly Finding[]): Finding[] => [
  ...new Map(
    findings.map((finding) => [`${finding.kind} ${finding.viewer} ${finding.text}`, finding]),
  ).values(),
];

/** Collects the findings of a campaign as lines, and the records with findings as files. */
export class Report {
  readonly findings: Finding[] = [];
  /** The number of findings, including those that were not kept. */
  total = 0;
  private records = 0;
  private readonly startedAt = Date.now();

  constructor(private readonly folder: string) {}

  add(found: readonly Finding[], record: unknown): void {
    const findings = distinct(found);
    if (findings.length === 0) return;
    this.total += findings.length;
    this.findings.push(...findings.slice(0, Math.max(0, MAX_FINDINGS - this.findings.length)));
    if (++this.records > MAX_RECORDS) return;
    const folder = join(this.folder, 'records');
    mkdirSync(folder, { recursive: true });
    const name = encodeURIComponent(findings[0]!.subject);
    writeFileSync(join(folder, `${name}.json`), JSON.stringify({ findings, record }, null, 1));
  }

  line({ kind, subject, viewer, text, at }: Finding, faults: readonly FaultRecord[]): string {
    const about = viewer === undefined ? subject : `${subject} (${viewer})`;
    return `${kind}: ${about}: ${text}; at ${seconds(at - this.startedAt)}, ${blamed(at, faults)}`;
  }

  timeline(faults: readonly FaultRecord[]): string[] {
    return faults.map(
      ({ kind, target, from, to }) =>
        `${seconds(from - this.startedAt)} to ${seconds(to - this.startedAt)}: ${kind} (${target})`,
    );
  }

  /** The number of findings by fault and kind. */
  byFault(faults: readonly FaultRecord[]): Map<string, Map<string, number>> {
    const table = new Map<string, Map<string, number>>();
    for (const { kind, at } of this.findings) {
      const fault = blamed(at, faults);
      const row = table.get(fault) ?? new Map<string, number>();
      row.set(kind, (row.get(kind) ?? 0) + 1);
      table.set(fault, row);
    }
    return table;
  }

  /** Writes lines and timeline beside the records, or removes the folder if there was no finding. */
  close(faults: readonly FaultRecord[]): void {
    if (this.total === 0) {
      rmSync(this.folder, { recursive: true, force: true });
      return;
    }
    // The data folders of the processes are large and not needed.
    for (const name of ['redis', 'data', 'truth'])
      rmSync(join(this.folder, name), { recursive: true, force: true });
    const lines = this.findings.map((finding) => this.line(finding, faults));
    writeFileSync(join(this.folder, 'findings.txt'), `${lines.join('\n')}\n`);
    writeFileSync(join(this.folder, 'faults.txt'), `${this.timeline(faults).join('\n')}\n`);
  }
}
