/** The one of several words that was meant by one that was mistyped; undefined: none is near enough. */
export function findMeant(typed: string, words: readonly string[]): string | undefined {
  const near = words
    // Of a prompt in the place of a command, the table would be as long.
    .filter(word => Math.abs(word.length - typed.length) <= mostMistakes(word))
    .map(word => ({ word, mistakes: countMistakes(typed, word) }))
    .filter(({ word, mistakes }) => mistakes <= mostMistakes(word))
    .sort((a, b) => a.mistakes - b.mistakes)
  return near[0]?.word
}

const mostMistakes = (word: string) => Math.max(1, Math.floor(word.length / 3))

/** Letters that were left out, put in, replaced, or changed places with the next. */
function countMistakes(typed: string, meant: string): number {
  // `rows[i][j]`: between the first `i` letters of the one and the first `j` of the other.
  const rows = Array.from({ length: typed.length + 1 }, (_, i) => [i])
  rows[0] = Array.from({ length: meant.length + 1 }, (_, j) => j)
  const at = (i: number, j: number) => rows[i]?.[j] ?? Number.POSITIVE_INFINITY
  for (let i = 1; i <= typed.length; i++) {
    for (let j = 1; j <= meant.length; j++) {
      const isSame = typed[i - 1] === meant[j - 1]
      const isTurned = typed[i - 1] === meant[j - 2] && typed[i - 2] === meant[j - 1]
      rows[i]?.push(
        Math.min(
          at(i - 1, j) + 1,
          at(i, j - 1) + 1,
          at(i - 1, j - 1) + (isSame ? 0 : 1),
          isTurned ? at(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      )
    }
  }
  return at(typed.length, meant.length)
}
