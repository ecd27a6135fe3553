/** Maximum length of a path in a message. It bounds the work on messages without a match. */
const LONGEST = 1000;
/** A file's id with the path around it. */
const FILE = new RegExp(
  `(?:(?:\\b[A-Za-z]:)?[/\\\\][^\\s'"]{0,${LONGEST}}?)?(?<![A-Za-z0-9])file_[A-Za-z0-9_-]{27}(?![A-Za-z0-9_-])(?:[/\\\\][\\w./\\\\-]*)?`,
  'g',
);
/** An error from Node's file system, such as `ENOENT: no such file or directory, open '/a'`. */
const SYSTEM_ERROR = /\b(E[A-Z0-9]{2,}: [^\n']{1,200}?), \w+ '[^\n]*'/g;
/** A program that could not be started. Its name is kept, its folder is removed. */
const SPAWN = new RegExp(`\\bspawn [^\\n]{0,${LONGEST}}?[/\\\\](?=[^/\\\\\\n]{1,200} E[A-Z]{2,}\\b)`, 'g');
/** A module that could not be loaded. The name of a package is kept, paths are removed. */
const MODULE =
  /\b(Cannot find (?:module|package))( '(?:@[\w.-]+\/)?[\w.-]+')?(?: '[^\n]*?')?(?: imported from [^\n]*)?/g;
const REQUIRE_STACK = /\nRequire stack:(?:\n- [^\n]*)+/g;

/**
 * Removes the paths and file ids that Node and libraries put into error messages. A file id is a capability, so clients must
 * not see it.
 * @param root the folder of the file store
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

/** Matches a folder and every path in it. */
const inside = (root: string): RegExp =>
  new RegExp(`${root.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![\\w.-])(?:[/\\\\][\\w./\\\\-]*)?`, 'g');
