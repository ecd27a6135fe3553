import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Said } from './records.js';

const SUFFIX = '.ndjson';

/** The records that the jobs of a campaign wrote before each report, one file for each job. */
export class GroundTruth {
  constructor(private readonly folder: string) {}

  private path(jobId: string): string {
    return join(this.folder, encodeURIComponent(jobId) + SUFFIX);
  }

  /** Returns the reports of a job; none if it never ran. The incomplete last line of a killed process is skipped. */
  of(jobId: string): Said[] {
    let text: string;
    try {
      text = readFileSync(this.path(jobId), 'utf8');
    } catch {
      return [];
    }
    return text
      .slice(0, text.lastIndexOf('\n') + 1)
      .split('\n')
      .flatMap((line) => (line === '' ? [] : (JSON.parse(line) as Said)));
  }

  jobs(): string[] {
    return readdirSync(this.folder)
      .filter((name) => name.endsWith(SUFFIX))
      .map((name) => decodeURIComponent(name.slice(0, -SUFFIX.length)));
  }

  forget(jobId: string): void {
    rmSync(this.path(jobId), { force: true });
  }
}
