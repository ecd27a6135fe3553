import { onScopeDispose, ref } from 'vue';

/** The time, ms since 1970, kept up to date once a second while `wanted` says so. */
export function useNow(wanted: () => boolean) {
  const now = ref(Date.now());
  const timer = setInterval(() => {
    if (wanted()) now.value = Date.now();
  }, 1000);
  onScopeDispose(() => clearInterval(timer));
  return now;
}
