import type { WriteStream } from 'node:tty';

const FRAME_MS = 100;
const HOME_AND_CLEAR = '\r\x1b[K';

/** The last line of a terminal, redrawn continuously, with permanent lines above it. */
export interface Screen {
  readonly columns: number;
  /** Sets the live line. It is computed ten times a second, and drawn if it has changed. */
  show(line: (now: number) => string): void;
  /** Prints a permanent line. */
  print(line: string): void;
  /** Removes the live line. */
  clear(): void;
}

export function createScreen(stream: WriteStream): Screen {
  let line: ((now: number) => string) | undefined;
  let shown = '';
  let timer: NodeJS.Timeout | undefined;
  const columns = (): number => (stream.columns || 80) - 1;

  function draw(): void {
    if (!line) return;
    const text = line(Date.now());
    if (text === shown) return;
    stream.write(HOME_AND_CLEAR + text);
    shown = text;
  }

  function erase(): void {
    if (shown) stream.write(HOME_AND_CLEAR);
    shown = '';
  }

  return {
    get columns() {
      return columns();
    },
    show(next) {
      line = next;
      if (timer) return;
      draw();
      timer = setInterval(draw, FRAME_MS);
    },
    print(text) {
      erase();
      stream.write(`${text}\n`);
      draw();
    },
    clear() {
      clearInterval(timer);
      timer = line = undefined;
      erase();
    },
  };
}
