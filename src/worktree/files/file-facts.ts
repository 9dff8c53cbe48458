import { lstatSync } from 'node:fs'

/** What the system says of a file; any change of it, or of what is in it, says something else. */
export function factsOf(place: Buffer): string {
  try {
    const { ino, mode, size, mtimeNs, ctimeNs } = lstatSync(place, { bigint: true })
    return [ino, mode, size, mtimeNs, ctimeNs].join()
  } catch (error) {
    // It is gone, or may not be looked at: so it is until that changes.
    return String((error as NodeJS.ErrnoException).code)
  }
}
