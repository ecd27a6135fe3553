import type { JobView } from '../../../client/types.js';

/** What the start of a job said. Only admins see the data. */
export type JobAbout = Pick<JobView, 'title' | 'tags' | 'metadata' | 'data'>;

/** Returns what a view of a job has of it. */
export const aboutOf = ({ title, tags, metadata, data }: JobAbout): JobAbout => ({
  ...(title ? { title } : {}),
  ...(tags ? { tags } : {}),
  ...(metadata ? { metadata } : {}),
  ...(data === undefined ? {} : { data }),
});

/** The longest title that the page makes, in characters. */
const MAX_TITLE = 100;

/** Returns the title of a job for a file: the file's name, in one line. */
export const titleForFile = ({ name }: Pick<File, 'name'>): string =>
  Array.from(name.replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]+/gu, ' ').trim())
    .slice(0, MAX_TITLE)
    .join('');
