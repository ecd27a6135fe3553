import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Licences that allow use, change and distribution with a notice only. */
const PERMISSIVE = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'Unlicense',
]);
/** Further licences of packages that are only tools: no part of them is in `dist`. */
const TOOLS = new Set(['CC-BY-4.0', 'MPL-2.0', 'PSF-2.0', 'Python-2.0']);
/** Packages with another licence, each with the reason why it is accepted. A change of the licence needs a new decision. */
const ACCEPTED = [
  {
    packages: /^@img\/sharp-/,
    licence: 'LGPL-3.0-or-later',
    reason: 'libvips is a shared library that sharp loads at run time and that can be replaced',
  },
  {
    packages: /^htmx-ext-sse$/,
    licence: undefined,
    reason: 'its package.json names no licence, but its file LICENSE does: 0BSD',
  },
];

/**
 * Returns a line for each package of the lock file whose licence is unknown or not accepted.
 * @param root the folder with package-lock.json
 */
export function licenceProblems(root) {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  return Object.entries(packages).flatMap(([path, entry]) => {
    if (path === '' || entry.link) return [];
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    const licence = entry.license ?? licenceOfManifest(join(root, path, 'package.json'));
    const isException = (id) =>
      ACCEPTED.some((exception) => exception.packages.test(name) && exception.licence === id);
    const isAccepted = (id) => PERMISSIVE.has(id) || (entry.dev === true && TOOLS.has(id)) || isException(id);
    if (licence === undefined)
      return isException(undefined) ? [] : [`${name} ${entry.version} names no licence`];
    return satisfies(licence, isAccepted)
      ? []
      : [`${name} ${entry.version} has the licence ${licence}, which is not on the list`];
  });
}

/** Old packages have no licence in the lock file, or the form that npm had before SPDX. */
function licenceOfManifest(path) {
  if (!existsSync(path)) return undefined;
  const { license, licenses } = JSON.parse(readFileSync(path, 'utf8'));
  const named = license ?? licenses?.map(({ type }) => type).join(' OR ');
  return typeof named === 'object' ? named.type : named || undefined;
}

/**
 * Returns whether an SPDX expression can be satisfied with accepted licences: `OR` needs one side, `AND` both.
 * An exception (`WITH`) only adds permissions.
 */
export function satisfies(expression, isAccepted) {
  const tokens = expression.match(/\(|\)|[^\s()]+/g) ?? [];
  let at = 0;
  const term = () => {
    if (tokens[at] === '(') {
      at++;
      const value = either();
      if (tokens[at++] !== ')') throw new Error(`not an SPDX expression: ${expression}`);
      return value;
    }
    const accepted = isAccepted(tokens[at++]);
    if (tokens[at] === 'WITH') at += 2;
    return accepted;
  };
  const both = () => {
    let value = term();
    while (tokens[at] === 'AND') {
      at++;
      value = term() && value;
    }
    return value;
  };
  const either = () => {
    let value = both();
    while (tokens[at] === 'OR') {
      at++;
      value = both() || value;
    }
    return value;
  };
  const value = either();
  return at === tokens.length && value;
}
