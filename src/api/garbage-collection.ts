import { setFlagsFromString } from 'node:v8';

/*
 * Lets V8 mark the whole heap only when it is three times as large as what lives in it; its own factor for a heap of this
 * size is about 1.5. Bodies of requests and responses count as heap for V8. With the small heap of an API process it would
 * mark everything each second while files are uploaded, and each time requests and events wait for up to 40 ms.
 *
 * The start commands bound the young generation too (`--max-semi-space-size=4`), which V8 only reads before a program runs:
 * collecting 4 MiB delays a request less than collecting 16 MiB.
 *
 * The first import of the program: V8 refuses compiled code that was kept under other flags (load-program.mjs).
 */
setFlagsFromString('--heap-growing-percent=200');
