/** Maximum number of jobs of one bulk action. */
export const MAX_BULK = 10_000;
/** How many calls are made at once. */
const AT_ONCE = 6;

export interface JobIds {
  ids: string[];
  /** The cursor of the next page. */
  next?: string | undefined;
}

/**
 * Collects the ids of all matching jobs, up to {@link MAX_BULK}. Children are left out: their parents decide about them.
 * @param read reads a page
 * @returns the ids, and whether there are more
 */
export async function collectIds(
  read: (cursor: string | undefined) => Promise<JobIds>,
): Promise<{ ids: string[]; more: boolean }> {
  const ids: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await read(cursor);
    ids.push(...page.ids);
    cursor = page.next;
  } while (cursor !== undefined && ids.length < MAX_BULK);
  return { ids: ids.slice(0, MAX_BULK), more: cursor !== undefined || ids.length > MAX_BULK };
}

export interface BulkProgress {
  done: number;
  failed: number;
}

/**
 * Does something with each job, some at a time.
 * @param isLast whether an error concerns all further jobs as well, so that the rest is left alone
 * @param onProgress called after each job
 * @throws the last error
 */
export async function forEachJob(
  ids: readonly string[],
  act: (id: string) => Promise<void>,
  isLast: (error: unknown) => boolean,
  onProgress: (progress: BulkProgress) => void,
  signal: AbortSignal,
): Promise<void> {
  const rest = ids[Symbol.iterator]();
  const progress = { done: 0, failed: 0 };
  let last: { error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    for (const id of rest) {
      if (signal.aborted || last) return;
      try {
        await act(id);
        progress.done++;
      } catch (error) {
        if (isLast(error)) last ??= { error };
        else progress.failed++;
      }
      onProgress({ ...progress });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  if (last) throw last.error;
}
