export const textOf = (data: object): string => String(data);
