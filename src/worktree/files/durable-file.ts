import { chmodSync, closeSync, fsyncSync, openSync, rmSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { type CrashPoint, reach } from '../../domain/crash-points.ts'

/** Reached when a file is written beside its place, and when it is in it. */
export type WritingPoints = readonly [written: CrashPoint, renamed: CrashPoint]

/**
 * Written in `scratch`, synced, renamed into `directory`, and that synced: whole or not there at
 * all. Whoever is killed meanwhile leaves something in `scratch` alone.
 */
export async function writeDurably(
  directory: string,
  name: string,
  scratch: string,
  points: WritingPoints | null,
  write: (path: string, file: number) => Promise<void>,
): Promise<void> {
  const beside = join(scratch, `.${name}.new`)
  const file = openSync(beside, 'w', 0o600)
  try {
    await write(beside, file)
    // Git may have made a file of its own in its place, as the umask says.
    chmodSync(beside, 0o600)
    syncFile(beside)
    if (points !== null) reach(points[0])
    await rename(beside, join(directory, name))
    if (points !== null) reach(points[1])
    syncFile(directory)
  } catch (error) {
    rmSync(beside, { force: true })
    throw error
  } finally {
    closeSync(file)
  }
}

/** By its name, not by an open file: git may have renamed another file into its place. */
export function syncFile(path: string): void {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
