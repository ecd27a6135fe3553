/** A mistake of the operator's or the machine's, told in one line without a stack. */
export class Stop extends Error {}

const color = process.stdout.isTTY && !process.env.NO_COLOR;

/** Prints a line of our own. */
export const say = (text) => console.log(color ? `\x1b[1m${text}\x1b[0m` : text);

/** Runs a script's story; a {@link Stop} ends it with one line and exit code 1. */
export async function tell(story) {
  try {
    await story();
  } catch (error) {
    console.error(error instanceof Stop ? `error: ${error.message}` : error);
    process.exit(1);
  }
}
