import type { Definition } from '../api';
import { words } from '../words';
import { fileFieldOf } from './kind-for-file';

const ROWS = 20_000;
const BYTES = 8 * 1024 * 1024;

/** Makes an example file. */
export type MakeExample = () => File | Promise<File>;

/** Words in the name or the description of a kind of job, and an example of the files that such a kind takes. */
const EXAMPLES: ReadonlyArray<[words: RegExp, make: MakeExample]> = [
  [/\bcsv\b/i, people],
  [/\bimages?\b/i, picture],
  [/\b(checksum|digest|hash)\b/i, zeros],
];

/** Returns what makes an example file for a kind of job; `undefined` if it takes none, or files that the page cannot guess. */
export function exampleFor(definition: Definition): MakeExample | undefined {
  if (!fileFieldOf(definition)) return undefined;
  const text = `${definition.name} ${definition.description ?? ''}`;
  return EXAMPLES.find(([words]) => words.test(text))?.[1];
}

/** A table in which some ages are not numbers, so that an import has something to reject. */
function people(): File {
  const rows = Array.from({ length: ROWS }, (_, i) => `${i},person ${i},${i % 997 === 7 ? 'x' : i % 90}`);
  return new File([`id,name,age\n${rows.join('\n')}\n`], 'people.csv', { type: 'text/csv' });
}

async function picture(): Promise<File> {
  const canvas = document.createElement('canvas');
  canvas.width = 1200;
  canvas.height = 800;
  const context = canvas.getContext('2d');
  if (!context) throw new Error(words.form.cannotDraw);
  const sky = context.createLinearGradient(0, 0, 0, canvas.height);
  sky.addColorStop(0, '#0b6e5f');
  sky.addColorStop(1, '#f2c14e');
  context.fillStyle = sky;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = '#fff3d6';
  context.beginPath();
  context.arc(600, 500, 180, 0, 2 * Math.PI);
  context.fill();
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve));
  if (!blob) throw new Error(words.form.cannotDraw);
  return new File([blob], 'picture.png', { type: 'image/png' });
}

function zeros(): File {
  return new File([new Uint8Array(BYTES)], 'zeros.bin');
}
