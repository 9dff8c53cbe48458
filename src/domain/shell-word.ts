/** One word for a POSIX shell, byte for byte, whatever is in it. */
export function shellWord(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}
