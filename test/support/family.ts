import type { ChangedJob } from './jobs.js';

export interface FamilyOptions {
  /** Whether the parents run in threads. */
  thread?: boolean;
  /** Whether the leaves run in threads. */
  leafThread?: boolean;
}

const PARENTS = ['tree', 'staged', 'twin', 'stray', 'unfit', 'grandparent', 'parent'];

/** The jobs of `test/jobs/family`: a parent (`tree`), its children (`leaf`), and families that cannot work. */
export function familyJobs({ thread = false, leafThread = false }: FamilyOptions = {}): ChangedJob[] {
  return [
    ...PARENTS.map((name) => ({ file: `family/${name}`, ...(thread ? { thread } : {}) })),
    { file: 'family/leaf', ...(leafThread ? { thread: true } : {}) },
    { file: 'family/other-twin' },
    { file: 'family/grandchild' },
  ];
}
