/** What is asked for: it is in the address of the stream. */
export interface View {
  name: string;
  q: string;
  process: string;
  sort: 'oldest' | 'newest';
  /** The window of rows of active jobs. */
  from: number;
  rows: number;
}

/** Rows around those on the screen, so that a short scroll asks for nothing. */
const MARGIN = 20;

export const firstView = (): View => ({ name: '', q: '', process: '', sort: 'oldest', from: 0, rows: 50 });

/** The address of the stream of a view, relative to the service. */
export function streamOf(view: View): string {
  const query = new URLSearchParams({ sort: view.sort, from: String(view.from), rows: String(view.rows) });
  for (const key of ['name', 'q', 'process'] as const) if (view[key]) query.set(key, view[key]);
  return `v1/dashboard/events?${query}`;
}

/** The window to ask for when rows `first` to `last` are on the screen: the present one as long as it has them. */
export function windowFor(
  first: number,
  last: number,
  now: Pick<View, 'from' | 'rows'>,
): Pick<View, 'from' | 'rows'> {
  if (first >= now.from && last < now.from + now.rows) return now;
  const from = Math.max(0, first - MARGIN);
  return { from, rows: Math.min(200, last + 1 - from + MARGIN) };
}
