/** Where processes stand, as `lsof` says it (man 8 lsof, "output for other programs"). */

/** The working directories of a user's processes: one look for all of them. */
export function directoriesOf(user: number): readonly string[] {
  // Without -a, each condition would add what it fits. Without f, a newer lsof leaves out the
  // lines by which a directory is known to be the working one.
  return ['-w', '-n', '-P', '-a', '-u', String(user), '-d', 'cwd', '-F', 'pfn']
}

/** What lsof says in the place of a name, or behind it, where it is not allowed to look. */
const NO_NAME = / \((?:l?stat|readlink|open|access): [^()]*\)$/

/** Pid → directory; nothing of a process that does not let us see. */
export function parseDirectories(text: string): ReadonlyMap<number, string> {
  const found = new Map<number, string>()
  let pid = 0
  let isDirectory = false
  for (const line of text.split('\n')) {
    const value = line.slice(1)
    if (line[0] === 'p') pid = Number(value)
    if (line[0] === 'p' || line[0] === 'f') isDirectory = line === 'fcwd'
    if (line[0] !== 'n' || !isDirectory || !value.startsWith('/') || NO_NAME.test(value)) continue
    found.set(pid, unescaped(value))
  }
  return found
}

const SHORT: Readonly<Record<string, number>> = { b: 8, t: 9, n: 10, f: 12, r: 13, '\\': 92 }

/** Bytes that are not printable in the locale (in ours, all but ASCII) are shown as escapes. */
function unescaped(name: string): string {
  if (!name.includes('\\')) return name
  const bytes: number[] = []
  for (const part of name.match(/\\x[0-9a-f]{2}|\\[btnfr\\]|[^\\]+|\\/g) ?? []) {
    const short = SHORT[part[1] ?? '']
    if (part.startsWith('\\x')) bytes.push(Number.parseInt(part.slice(2), 16))
    else if (part[0] === '\\' && short !== undefined) bytes.push(short)
    else bytes.push(...Buffer.from(part))
  }
  return Buffer.from(bytes).toString('utf8')
}
