export function headingAnchor(text: string): string;
export function withoutCodeBlocks(markdown: string): string;
export function anchorsOf(markdown: string): string[];
export function linksOf(markdown: string): string[];
