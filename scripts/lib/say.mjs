/** An error that is printed in one line without a stack: a wrong setting, or a missing program. */
export class Stop extends Error {}

const color = process.stdout.isTTY && !process.env.NO_COLOR;

/** Prints a line in bold. */
export const say = (text) => console.log(color ? `\x1b[1m${text}\x1b[0m` : text);

/** Runs a script. A {@link Stop} is printed in one line, and the exit code is 1. */
export async function tell(story) {
  try {
    await story();
  } catch (error) {
    console.error(error instanceof Stop ? `error: ${error.message}` : error);
    process.exit(1);
  }
}
