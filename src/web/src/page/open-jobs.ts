import { onScopeDispose, ref } from 'vue';

/** The maximum number of open jobs. Together with the live rows of the history, they fit into one connection. */
export const MAX_OPEN = 12;

/** The jobs that an address names: `#job=a,b`. */
export function idsIn(hash: string): string[] {
  const [, list = ''] = /^#job=([\w.:~,-]{1,3000})$/.exec(hash) ?? [];
  return [...new Set(list.split(',').filter(Boolean))].slice(0, MAX_OPEN);
}

/** The inverse of {@link idsIn}; empty if there are no jobs. */
export const hashOf = (ids: string[]): string => (ids.length > 0 ? `#job=${ids.join(',')}` : '');

/** The open jobs, newest first. They are part of the address, so that a reload or a bookmark opens them again. */
export function useOpenJobs() {
  const ids = ref(idsIn(location.hash));
  function show(next: string[]): void {
    ids.value = next.slice(0, MAX_OPEN);
    history.replaceState(null, '', hashOf(ids.value) || location.pathname + location.search);
  }
  const read = (): void => {
    ids.value = idsIn(location.hash);
  };
  addEventListener('hashchange', read);
  onScopeDispose(() => removeEventListener('hashchange', read));
  return {
    ids,
    /** Opens a job, listed before the others. An open job keeps its place. */
    open(id: string): void {
      if (!ids.value.includes(id)) show([id, ...ids.value]);
    },
    close: (id: string): void => show(ids.value.filter((other) => other !== id)),
  };
}
