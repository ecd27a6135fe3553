import { safeJson } from '../terminal/text.js';
import type { View } from './view.js';

/** The view for scripts: a JSON object per line, discriminated by `type`. */
export function createJsonView(write: (line: string) => void, note: (line: string) => void): View {
  const line = (type: string, fields: object): void => write(safeJson({ type, ...fields }));
  return {
    uploading() {},
    accepted: (job) => line('accepted', job),
    event: ({ event, id, data }) => line('event', { event, ...(id ? { id } : {}), data }),
    status(status) {
      if (status !== 'ended') line('connection', { status });
    },
    note,
    question() {},
    detached: (id, signal) => line('detached', { id, signal }),
    close() {},
  };
}
