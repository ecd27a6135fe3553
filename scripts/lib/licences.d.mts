export function licenceProblems(root: string): string[];
export function satisfies(expression: string, isAccepted: (id: string) => boolean): boolean;
