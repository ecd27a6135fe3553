/** Messages of libraries are short; what is longer is no path. It bounds the work on a message that holds no match. */
const LONGEST = 1000;
/** A file's id, with the path that leads to it and goes on from it. */
const FILE = new RegExp(
  `(?:(?:\\b[A-Za-z]:)?[/\\\\][^\\s'"]{0,${LONGEST}}?)?(?<![A-Za-z0-9])file_[A-Za-z0-9_-]{27}(?![A-Za-z0-9_-])(?:[/\\\\][\\w./\\\\-]*)?`,
  'g',
);
/** An error of Node's file system: `ENOENT: no such file or directory, open '/a'`, `…, rename '/a' -> '/b'`. */
const SYSTEM_ERROR = /\b(E[A-Z0-9]{2,}: [^\n']{1,200}?), \w+ '[^\n]*'/g;
/** A program that could not be started; its name may be told. */
const SPAWN = new RegExp(`\\bspawn [^\\n]{0,${LONGEST}}?[/\\\\](?=[^/\\\\\\n]{1,200} E[A-Z]{2,}\\b)`, 'g');
/** A module that could not be loaded; the name of a package may be told. */
const MODULE =
  /\b(Cannot find (?:module|package))( '(?:@[\w.-]+\/)?[\w.-]+')?(?: '[^\n]*?')?(?: imported from [^\n]*)?/g;
const REQUIRE_STACK = /\nRequire stack:(?:\n- [^\n]*)+/g;

/**
 * Takes out of an error message what only the server is to know: the ids of files (whoever has one may use the file),
 * and paths, as Node and libraries put them into their messages.
 * @param root the folder that holds the files
 */
export function concealFiles(message: string, root: string): string {
  return message
    .replace(SYSTEM_ERROR, '$1')
    .replace(SPAWN, 'spawn ')
    .replace(REQUIRE_STACK, '')
    .replace(MODULE, '$1$2')
    .replace(inside(root), '[file]')
    .replace(FILE, '[file]');
}

/** Whatever is in a folder, and the folder itself. */
const inside = (root: string): RegExp =>
  new RegExp(`${root.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![\\w.-])(?:[/\\\\][\\w./\\\\-]*)?`, 'g');
