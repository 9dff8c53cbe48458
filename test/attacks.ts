/** What programs try that are to be held, and what came of it. */

/** Shell functions: `try NAME COMMAND…` prints whether it worked, `write FILE` writes. */
export const TRY = `try() { name=$1; shift; if "$@" >/dev/null 2>&1; then echo "$name DONE"; else echo "$name denied"; fi; }
write() { echo mine >"$1"; }
`

export const denied = (...names: readonly string[]) => names.map(name => `${name} denied`)

/** Tries to write a file into each of these directories. */
export const plantIn = (victims: Readonly<Record<string, string>>) =>
  Object.entries(victims)
    .map(([name, path]) => `try ${name} write '${path}/planted'`)
    .join('\n')
