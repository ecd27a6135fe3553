import { onScopeDispose, ref } from 'vue';

/** The current time, ms since 1970, updated once a second while `wanted` returns true. */
export function useNow(wanted: () => boolean) {
  const now = ref(Date.now());
  const timer = setInterval(() => {
    if (wanted()) now.value = Date.now();
  }, 1000);
  onScopeDispose(() => clearInterval(timer));
  return now;
}
