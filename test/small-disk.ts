import { execFileSync } from 'node:child_process'
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'

export interface SmallDisk {
  /** To the last byte. */
  fill(): void
  /** Gives the room back. */
  free(): void
  unmount(): void
}

/** A disk of its own at a directory; only where the tests may mount one. */
export function mountSmallDisk(place: string, size: string): SmallDisk {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=700`, 'none', place])
  const filler = join(place, 'filler')
  return {
    fill() {
      const file = openSync(filler, 'w')
      try {
        for (;;) writeSync(file, Buffer.alloc(65_536))
      } catch (error) {
        expect((error as { code?: string }).code).toBe('ENOSPC')
      } finally {
        closeSync(file)
      }
    },
    free: () => rmSync(filler, { force: true }),
    unmount: () => void execFileSync('umount', ['-l', place]),
  }
}
