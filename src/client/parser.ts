/** One event as it was on the wire. */
export interface StreamEvent {
  /** Its own id line; `undefined` when it had none. */
  id: string | undefined;
  /** `message` where the stream named none. */
  event: string;
  data: string;
  /** The service has marked the data as text, though it reads as JSON. */
  text?: true;
}

/** The comment that marks the data of its event as text. */
const TEXT_MARK = 'text';

/**
 * Parses an event stream (WHATWG HTML, section 9.2.6) that comes in pieces, however they are cut.
 * @param onEvent each whole event; one that the end of the stream cuts off is dropped, as the standard has it
 * @param onRetry the time before a reconnect, in ms
 * @param onComment its text
 * @returns takes the next piece of text
 */
export function createParser(
  onEvent: (event: StreamEvent) => void,
  onRetry: (ms: number) => void,
  onComment: (text: string) => void = () => {},
): (text: string) => void {
  let rest = '';
  let afterCr = false;
  let id: string | undefined;
  let event = '';
  let data: string | undefined;
  let isText = false;

  function take(line: string): void {
    if (line === '') {
      if (data !== undefined)
        onEvent({ id, event: event || 'message', data, ...(isText ? { text: true } : {}) });
      id = data = undefined;
      event = '';
      isText = false;
      return;
    }
    const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line)!;
    if (field === '') {
      if (value === TEXT_MARK) isText = true;
      onComment(value);
    } else if (field === 'data') data = data === undefined ? value : `${data}\n${value}`;
    else if (field === 'event') event = value;
    else if (field === 'id' && !value.includes('\0')) id = value;
    else if (field === 'retry' && /^\d+$/.test(value)) onRetry(Number(value));
  }

  return (text) => {
    if (!text) return;
    // The second half of a CR LF that was cut in two ends no further line.
    const lines = (afterCr && text[0] === '\n' ? text.slice(1) : text).split(/\r\n|\r|\n/);
    afterCr = text.endsWith('\r');
    lines[0] = rest + lines[0];
    rest = lines.pop()!;
    lines.forEach(take);
  };
}
