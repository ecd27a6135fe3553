import { readFileSync, renameSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { concealFiles } from '../../../src/shared/files/conceal.js';
import { cpuTimeOf } from '../../support/cpu-time.js';

const ROOT = '/srv/head way/data/files';
const ID = `file_${'aB3-_'.repeat(5)}xy`;

/** Returns the message of the error that a call throws in this version of Node. */
function messageOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('the call did not fail');
}

describe('an error message that viewers see', () => {
  it.each([
    ['ENOENT', messageOf(() => readFileSync(`${ROOT}/${ID}/content`)), 'ENOENT: no such file or directory'],
    [
      'a path with a quote',
      messageOf(() => readFileSync("/srv/it's/here")),
      'ENOENT: no such file or directory',
    ],
    ['two paths', messageOf(() => renameSync('/srv/a b/c', '/srv/d')), 'ENOENT: no such file or directory'],
    ['EACCES', `EACCES: permission denied, mkdir '/srv'`, 'EACCES: permission denied'],
    [
      'one inside another',
      `the zip cannot be read: ENOENT: no such file or directory, open '${ROOT}/${ID}/content'`,
      'the zip cannot be read: ENOENT: no such file or directory',
    ],
    [
      'libvips',
      `Input file has corrupt header: ${ROOT}/${ID}/content: bad seek to 1024\n${ROOT}/tmp/${ID}/content: bad seek`,
      'Input file has corrupt header: [file]: bad seek to 1024\n[file]: bad seek',
    ],
    [
      'libsql',
      `ConnectionFailed("Unable to open connection to local database ${ROOT}/tmp/${ID}/content: 14")`,
      'ConnectionFailed("Unable to open connection to local database [file]: 14")',
    ],
    ['the folder', `no room in ${ROOT}`, 'no room in [file]'],
    [
      'an id',
      `There is no file ${ID}; it may have expired.`,
      'There is no file [file]; it may have expired.',
    ],
    ['an id in JSON', `{"file":"${ID}"}`, '{"file":"[file]"}'],
    ['the same files by another path', `/mnt/x/files/${ID}/content is empty`, '[file] is empty'],
    ['a Windows path', `cannot open C:\\data\\${ID}\\content`, 'cannot open [file]'],
    ['a program', 'spawn /opt/tools 2/bin/ffmpeg ENOENT', 'spawn ffmpeg ENOENT'],
    ['a module', "Cannot find module '/srv/jobs/x.js' imported from /srv/jobs/y.js", 'Cannot find module'],
    ['a package', "Cannot find package 'left-pad' imported from /srv/y.js", "Cannot find package 'left-pad'"],
    [
      'a required module',
      "Cannot find module './x'\nRequire stack:\n- /srv/a.js\n- /srv/b.js",
      'Cannot find module',
    ],
  ])('contains no path and no file id: %s', (_what, message, shown) => {
    expect(concealFiles(message, ROOT)).toBe(shown);
  });

  it.each([
    '/rows/0/name must be a string',
    'GET https://example.com/files/1 answered 404, see /docs/errors',
    `spawn ffmpeg ENOENT`,
    'the file_name of a profile_that_has_a_very_long_name_indeed is missing',
    `${ROOT}-old is full`,
    'E2E: the answer was, "no \'way\'"',
    "Cannot find module 'sharp'",
    '',
  ])('is otherwise unchanged: %s', (message) => {
    expect(concealFiles(message, ROOT)).toBe(message);
  });

  it.each(['/', 'E11: , a ', 'spawn /', `file_`, "Cannot find module '", '\nRequire stack:'])(
    'is processed quickly, however long it is: %s',
    (part) => {
      expect(cpuTimeOf(() => concealFiles(part.repeat(10_000), ROOT))).toBeLessThan(1000);
    },
  );
});
