import { onScopeDispose, ref } from 'vue';

/** So many jobs can be open at once, the newest: with those of the history they fit into one connection. */
export const MAX_OPEN = 12;

/** The jobs that an address names: `#job=a,b`. */
export function idsIn(hash: string): string[] {
  const [, list = ''] = /^#job=([\w.:~,-]{1,3000})$/.exec(hash) ?? [];
  return [...new Set(list.split(',').filter(Boolean))].slice(0, MAX_OPEN);
}

/** The opposite of {@link idsIn}; empty for none. */
export const hashOf = (ids: string[]): string => (ids.length > 0 ? `#job=${ids.join(',')}` : '');

/** The jobs that are shown, newest first. They are in the address, so that a reload or a bookmark shows them again. */
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
    /** Shows a job, before the others. One that is there stays where it is. */
    open(id: string): void {
      if (!ids.value.includes(id)) show([id, ...ids.value]);
    },
    close: (id: string): void => show(ids.value.filter((other) => other !== id)),
  };
}
