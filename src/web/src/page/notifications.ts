import { ref } from 'vue';
import type { PageJob } from '../job/follow-job';
import { jobWords } from '../job/words';
import { ROOT } from '../service';

const KEY = 'headway.notify';

function isWanted(): boolean {
  try {
    return localStorage.getItem(KEY) === 'yes';
  } catch {
    return false;
  }
}

function remember(wanted: boolean): void {
  try {
    localStorage.setItem(KEY, wanted ? 'yes' : 'no');
  } catch {
    // A browser that stores nothing asks again after a reload.
  }
}

/** Whether the browser could show any: only a page over TLS, or of this machine, may. */
const isPossible = (): boolean => typeof Notification !== 'undefined' && isSecureContext;

/** Notifications of this browser: wanted by the visitor, and allowed by the browser. */
export function useNotifications() {
  const on = ref(isPossible() && Notification.permission === 'granted' && isWanted());
  /** The browser has said no; only its settings change that. */
  const denied = ref(false);

  return {
    possible: isPossible(),
    on,
    denied,
    /** Turns them on or off, by a click: a browser asks its user only then. */
    async toggle(): Promise<void> {
      if (on.value) on.value = false;
      else {
        const permission = await Notification.requestPermission().catch(() => 'denied');
        denied.value = permission === 'denied';
        on.value = permission === 'granted';
      }
      remember(on.value);
    },
    /** Tells of a job's end, if nobody sees it here. Tabs that show the same job tell of it once. */
    tell(job: PageJob): void {
      if (!on.value || document.visibilityState !== 'hidden') return;
      try {
        const body = job.error?.message ?? 'Open its tab to see the result.';
        const note = new Notification(`${job.name}: ${jobWords(job)}`, {
          body: job.state === 'cancelled' ? '' : body,
          tag: `headway-${job.id}`,
          icon: `${ROOT}favicon.svg`,
        });
        note.onclick = () => {
          window.focus();
          note.close();
        };
      } catch {
        // Android shows them from a service worker only; the title still tells.
      }
    },
  };
}
