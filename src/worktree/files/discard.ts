import { chmodSync, lstatSync, readdirSync, rmdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Unlinks a tree for good, read-only directories too; nothing behind a link is touched. Only what
 * has been renamed out of its place, and proven or half made, comes here; and what the user gives up.
 */
export async function discardTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EACCES' && code !== 'EPERM') throw error
    openDirectories(path)
    await rm(path, { recursive: true, force: true })
  }
}

export function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory)
  } catch {
    // It was never made, or it holds what is not ours.
  }
}

/** A directory that its owner may not write to keeps its entries. */
function openDirectories(path: string): void {
  if (!lstatSync(path).isDirectory()) return
  chmodSync(path, 0o700)
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) openDirectories(join(path, entry.name))
  }
}
