/** Writes the content of the package `create-headway-jobs` to a folder with its name. */
export function stageStarter(to: string): void;
