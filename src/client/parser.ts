/** One event of a stream, as received. */
export interface StreamEvent {
  /** The event's own id line; `undefined` if it has no id line. */
  id: string | undefined;
  /** `message` if the stream contains no name. */
  event: string;
  data: string;
  /** The service marked the data as text, although it could be parsed as JSON. */
  text?: true;
}

/** The comment that marks the data of an event as text. */
const TEXT_MARK = 'text';

/**
 * Creates a parser for an event stream (WHATWG HTML, section 9.2.6) that arrives in arbitrary pieces.
 * @param onEvent called with each complete event; an event cut off by the end of the stream is dropped, as the standard
 * requires
 * @param onRetry called with the reconnection time, in ms
 * @param onComment called with the text of each comment
 * @param onPosition called with an id that has no data: it moves the position, and is no event
 * @returns a function that parses the next piece of text
 */
export function createParser(
  onEvent: (event: StreamEvent) => void,
  onRetry: (ms: number) => void,
  onComment: (text: string) => void = () => {},
  onPosition: (id: string) => void = () => {},
): (text: string) => void {
  let rest = '';
  let afterCr = false;
  let id: string | undefined;
  let event = '';
  let data: string | undefined;
  let isText = false;

  function parseLine(line: string): void {
    if (line === '') {
      if (data !== undefined)
        onEvent({ id, event: event || 'message', data, ...(isText ? { text: true } : {}) });
      else if (id) onPosition(id);
      id = data = undefined;
      event = '';
      isText = false;
      return;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
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
    // The LF of a CR LF that was split between two pieces does not end another line.
    const lines = (afterCr && text[0] === '\n' ? text.slice(1) : text).split(/\r\n|\r|\n/);
    afterCr = text.endsWith('\r');
    const last = lines.pop() ?? '';
    const [first] = lines;
    if (first === undefined) rest += last;
    else {
      lines[0] = rest + first;
      rest = last;
    }
    lines.forEach(parseLine);
  };
}
