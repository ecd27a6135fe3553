/** The fields of a manifest that tests read. */
export interface Manifest {
  name: string;
  version: string;
  exports: Record<string, string>;
  dependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta: Record<string, { optional: boolean }>;
  repository?: { type: string; url: string; directory: string };
}
export const FOLDERS: Array<'client' | 'server'>;
/** A folder of `packages`. */
export type PackageFolder = 'client' | 'server' | 'create';
export function nameOf(folder: PackageFolder): string;
export function stagePackages(to: string, repository?: string): void;
export function manifestOf(folder: PackageFolder, repository?: string): Manifest;
