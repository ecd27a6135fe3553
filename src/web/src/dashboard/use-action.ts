import { ref } from 'vue';
import { problemMessage } from '../api';

/** The state of calls made by buttons: the pending ones, and the last error. */
export function useAction() {
  const busy = ref(new Set<string>());
  const problem = ref('');

  async function act(key: string, call: () => Promise<void>): Promise<void> {
    if (busy.value.has(key)) return;
    busy.value = new Set(busy.value).add(key);
    problem.value = '';
    try {
      await call();
    } catch (error) {
      problem.value = problemMessage(error);
    } finally {
      busy.value = new Set([...busy.value].filter((other) => other !== key));
    }
  }
  return { busy, problem, act };
}
