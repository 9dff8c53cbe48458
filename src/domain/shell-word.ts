/** One word for a POSIX shell, byte for byte, whatever is in it. */
export function shellWord(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}

/** Words as people would write them: quoted only where a shell would make something else of them. */
export function shellLine(words: readonly string[]): string {
  return words.map(word => (/^[\w@%+=:,./-]+$/.test(word) ? word : shellWord(word))).join(' ')
}
