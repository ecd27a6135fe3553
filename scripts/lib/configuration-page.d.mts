export const SUBJECTS: Record<string, string[]>;
export function renderConfigurationPage(page: string, schema: object): string;
