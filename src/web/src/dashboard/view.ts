/** The filters and the window of rows. They are part of the address of the stream. */
export interface View {
  name: string;
  q: string;
  process: string;
  sort: 'oldest' | 'newest';
  /** The window of rows with active jobs. */
  from: number;
  rows: number;
}

/** How many extra rows are requested on each side, so that short scrolling needs no request. */
const MARGIN = 20;

export const firstView = (): View => ({ name: '', q: '', process: '', sort: 'oldest', from: 0, rows: 50 });

/** Returns the address of a view's stream, relative to the service. */
export function streamOf(view: View): string {
  const query = new URLSearchParams({ sort: view.sort, from: String(view.from), rows: String(view.rows) });
  for (const key of ['name', 'q', 'process'] as const) if (view[key]) query.set(key, view[key]);
  return `v1/dashboard/events?${query}`;
}

/** Returns the window to request when rows `first` to `last` are visible: the current one if it contains them. */
export function windowFor(
  first: number,
  last: number,
  now: Pick<View, 'from' | 'rows'>,
): Pick<View, 'from' | 'rows'> {
  if (first >= now.from && last < now.from + now.rows) return now;
  const from = Math.max(0, first - MARGIN);
  return { from, rows: Math.min(200, last + 1 - from + MARGIN) };
}
