/** Divides a flat reply of Redis (HSCAN, ZRANGE WITHSCORES, the fields of a stream entry) into its pairs. */
export function pairsOf(flat: readonly string[]): Array<[key: string, value: string]> {
  const pairs: Array<[string, string]> = [];
  let key: string | undefined;
  for (const text of flat) {
    if (key === undefined) key = text;
    else {
      pairs.push([key, text]);
      key = undefined;
    }
  }
  return pairs;
}
