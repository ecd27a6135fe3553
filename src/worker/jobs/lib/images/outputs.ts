import { cleanFileName } from '../../../../shared/files/name.js';
import { UniqueNames } from './variant.js';

/** An image and the files of its variants. */
export interface ImageOutput<File> {
  /** Name in the zip, with folders. */
  image: string;
  files: File[];
}

/** Names of the files in the archive. */
export interface OutputNames<File> {
  files: { name: string; file: File }[];
  report: string;
  /** The file names of each image. */
  outputs: ImageOutput<string>[];
}

/** Names the files of an archive: in the folders of their images, and unique even if case is ignored. */
export function nameOutputs<File extends { name: string }>(images: ImageOutput<File>[]): OutputNames<File> {
  const names = new UniqueNames();
  const folders = images.map(({ image }) => foldersOf(image));
  // A file cannot have the name of a folder.
  for (const name of new Set(folders.flatMap(parents))) names.add(name);
  const files: OutputNames<File>['files'] = [];
  const outputs = images.map((image, index) => {
    const named = image.files.map((file) => ({
      name: names.add([...(folders[index] ?? []), file.name].join('/')),
      file,
    }));
    files.push(...named);
    return { image: image.image, files: named.map(({ name }) => name) };
  });
  return { files, report: names.add('report.json'), outputs };
}

const foldersOf = (image: string): string[] =>
  image
    .split('/')
    .slice(0, -1)
    .filter((part) => part !== '' && part !== '.')
    .map(cleanFileName);

const parents = (folders: string[]): string[] =>
  folders.map((_, index) => folders.slice(0, index + 1).join('/'));
