/** Pairs of name and number out of a generated table; parsed when asked for because most runs need none of it. */
export function parseWordTable(text: string): readonly (readonly [name: string, value: number])[] {
  const words = text.trim().split(/\s+/);
  const rows: [string, number][] = [];
  for (let i = 0; i + 1 < words.length; i += 2) rows.push([words[i] ?? "", Number(words[i + 1])]);
  return rows;
}
