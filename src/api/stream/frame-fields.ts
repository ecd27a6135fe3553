/** The fields of one frame. */
export interface FrameFields {
  id: string | undefined;
  event: string;
  /** The data as text: `undefined` for a frame without data, such as a comment. */
  data: string | undefined;
  /** Whether the data is marked as text, although it could be read as JSON. */
  isText: boolean;
  /** The time until a reconnect, in ms. */
  retry: string | undefined;
}

/** Reads frames of a channel, as they are written to a stream. */
export function readFrames(frames: string): FrameFields[] {
  return frames.split('\n\n').flatMap((frame) => (frame === '' ? [] : [fieldsOf(frame)]));
}

function fieldsOf(frame: string): FrameFields {
  const fields = new Map<string, string>();
  for (const line of frame.split('\n')) {
    const [, name = '', value = ''] = /^(\w*): ?(.*)$/s.exec(line) ?? [];
    const key = name || `:${value}`;
    const earlier = fields.get(key);
    fields.set(key, earlier === undefined ? value : `${earlier}\n${value}`);
  }
  return {
    id: fields.get('id'),
    event: fields.get('event') ?? 'message',
    data: fields.get('data'),
    isText: fields.has(':text'),
    retry: fields.get('retry'),
  };
}
