/** What a table of ours, or of what was kept, has under an agent's word: `constructor` is in none. */
export function lookUp<Value>(
  table: Readonly<Record<string, Value>>,
  word: string | null | undefined,
): Value | undefined {
  return word != null && Object.hasOwn(table, word) ? table[word] : undefined
}
