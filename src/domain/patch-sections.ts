/** Patches as text, file by file. Pure. */

/** A file that differs between two commits. */
export interface ChangedFile {
  /** From the top of the repository, as text. */
  readonly path: string
  /** What it was called before; null: the same. */
  readonly was: string | null
  /** Null: it is not text. */
  readonly insertions: number | null
  readonly deletions: number | null
}

/**
 * As much of a patch as `most` characters hold: whole files, the smallest first, in the order of the
 * patch. `left`: the paths of those that are not in it. A file that is cut off at the end is none.
 */
export function fitPatch(
  patch: string,
  files: readonly ChangedFile[],
  most: number,
): { readonly shown: string; readonly left: readonly string[] } {
  const sections = splitPatch(patch)
  const isCut = !patch.endsWith('\n')
  const whole = isCut ? sections.slice(0, -1) : sections
  const chosen = new Set<number>()
  let length = 0
  const bySize = whole.map((section, n) => ({ size: section.length, n }))
  for (const { size, n } of bySize.sort((a, b) => a.size - b.size)) {
    if (length + size > most) break
    length += size
    chosen.add(n)
  }
  return {
    shown: whole
      .filter((_, n) => chosen.has(n))
      .join('')
      .trimEnd(),
    // Git writes them in the same order as it counts them.
    left: files.filter((_, n) => !chosen.has(n)).map(({ path }) => path),
  }
}

/**
 * Each from its line `diff --git` on: no line of a file begins so, for it begins with a sign. A file
 * that has become a link, or the other way round, has two with the same line, which are one here.
 */
function splitPatch(patch: string): string[] {
  const sections: string[] = []
  let header = ''
  for (const section of patch.split(/(?<=\n)(?=diff --git )/)) {
    if (section === '') continue
    const first = section.slice(0, section.indexOf('\n'))
    if (first === header) sections[sections.length - 1] += section
    else sections.push(section)
    header = first
  }
  return sections
}
