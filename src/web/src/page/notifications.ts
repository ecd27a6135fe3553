import { ref } from 'vue';
import type { PageJob } from '../job/follow-job';
import { jobLabel } from '../job/labels';
import { ROOT } from '../service';
import { words } from '../words';

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
    // Without storage, the browser asks again after a reload.
  }
}

/** Whether notifications are available: only on a page loaded over TLS or from this machine. */
const isPossible = (): boolean => typeof Notification !== 'undefined' && isSecureContext;

/** Notifications in this browser, if the visitor wants them and the browser allows them. */
export function useNotifications() {
  const on = ref(isPossible() && Notification.permission === 'granted' && isWanted());
  /** The browser has denied permission. Only its settings can change that. */
  const denied = ref(false);

  return {
    possible: isPossible(),
    on,
    denied,
    /** Turns notifications on or off. Must be called from a click, because browsers ask for permission only then. */
    async toggle(): Promise<void> {
      if (on.value) on.value = false;
      else {
        const permission = await Notification.requestPermission().catch(() => 'denied');
        denied.value = permission === 'denied';
        on.value = permission === 'granted';
      }
      remember(on.value);
    },
    /** Shows a notification for a job's end if the tab is hidden. Several tabs with the same job show one notification. */
    notifyEnd(job: PageJob): void {
      if (!on.value || document.visibilityState !== 'hidden') return;
      try {
        const body = job.error?.message ?? words.page.notification;
        const note = new Notification(`${job.name}: ${jobLabel(job)}`, {
          body: job.state === 'cancelled' ? '' : body,
          tag: `headway-${job.id}`,
          icon: `${ROOT}favicon.svg`,
        });
        note.onclick = () => {
          window.focus();
          note.close();
        };
      } catch {
        // Android allows notifications only from a service worker. The title of the tab still shows the end.
      }
    },
  };
}
