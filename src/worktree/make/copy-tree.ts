/**
 * Copies a directory that git ignores from one checkout into another: plain files and their modes and
 * times, and links that stay within the checkout. Whoever writes to it meanwhile loses nothing; what
 * goes away meanwhile is passed over, and counted.
 */
import { constants } from 'node:fs'
import { chmod, copyFile, lstat, mkdir, readdir, readlink, symlink, utimes } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import type { Bounds } from '../../domain/configuration.ts'
import { shownSize } from '../capture/bounds.ts'
import { type BytePath, pathOnDisk } from '../files/paths.ts'

/** What the system says where a file system cannot share blocks between two files. */
const CANNOT_CLONE = ['ENOTSUP', 'EOPNOTSUPP', 'EXDEV', 'EINVAL', 'ENOTTY', 'ENOSYS', 'EPERM']
/** Each waits for the disk most of the time; more fill the pool of threads that others need too. */
const AT_ONCE = 4

/** `clone`: its blocks are shared until one of the two is written to; never copied. */
export type CopyWay = 'clone' | 'copy'

interface Listed {
  /** Each after the one that it lies in. */
  readonly directories: BytePath[]
  readonly files: BytePath[]
  readonly links: BytePath[]
  bytes: number
  /** What is no file, link or directory, and what leads out. */
  passedOver: number
}

/** In words why it cannot be done, or how much was passed over; then, or on an error, what is there is not whole. */
export type Copied = { readonly problem: string } | { readonly passedOver: number }

/** `path` is there in `from` as a real directory, and not in `to`, where its parent is. */
export async function copyTree(
  from: string,
  to: string,
  path: BytePath,
  way: CopyWay,
  bounds: Bounds,
): Promise<Copied> {
  const listed: Listed = { directories: [], files: [], links: [], bytes: 0, passedOver: 0 }
  if (!(await list(from, path, listed, bounds))) {
    const most = `${bounds.maxFiles} files and ${shownSize(bounds.maxBytes)}`
    return { problem: `it is too much (at most ${most})` }
  }
  for (const directory of listed.directories) await mkdir(pathOnDisk(to, directory), 0o700)
  const copied = await copyFiles(from, to, listed, way)
  if (!copied) return { problem: 'this file system cannot share blocks between files' }
  for (const link of listed.links) await copyLink(from, to, link, listed)
  // The innermost first: a directory that is closed lets nobody in.
  for (const directory of listed.directories.reverse()) await copyTraits(from, to, directory)
  return { passedOver: listed.passedOver }
}

/** False: it is too much. */
async function list(
  root: string,
  directory: BytePath,
  listed: Listed,
  bounds: Bounds,
): Promise<boolean> {
  listed.directories.push(directory)
  const entries = await readdir(pathOnDisk(root, directory), {
    withFileTypes: true,
    encoding: 'buffer',
  })
  for (const entry of entries) {
    const path = `${directory}/${entry.name.toString('latin1')}` as BytePath
    if (entry.isDirectory()) {
      if (!(await list(root, path, listed, bounds))) return false
    } else if (entry.isSymbolicLink()) listed.links.push(path)
    else if (!entry.isFile()) listed.passedOver += 1
    else {
      const stats = await lstat(pathOnDisk(root, path)).catch(unlessGone)
      if (stats === undefined) continue
      listed.files.push(path)
      listed.bytes += stats.size
    }
    const count = listed.files.length + listed.links.length + listed.directories.length
    if (count > bounds.maxFiles || listed.bytes > bounds.maxBytes) return false
  }
  return true
}

/** False: blocks cannot be shared here. */
async function copyFiles(from: string, to: string, listed: Listed, way: CopyWay): Promise<boolean> {
  const mode =
    constants.COPYFILE_EXCL |
    (way === 'clone' ? constants.COPYFILE_FICLONE_FORCE : constants.COPYFILE_FICLONE)
  const waiting = listed.files.values()
  let canClone = true
  const copyNext = async () => {
    for (const path of waiting) {
      if (!canClone) return
      try {
        await copyFile(pathOnDisk(from, path), pathOnDisk(to, path), mode)
        await copyTraits(from, to, path)
      } catch (error) {
        const { code = '' } = error as NodeJS.ErrnoException
        if (way === 'clone' && CANNOT_CLONE.includes(code)) canClone = false
        else if (code === 'ENOENT') listed.passedOver += 1
        else throw error
      }
    }
  }
  // All are waited for, so that nobody writes any more where one of them fails.
  const done = await Promise.allSettled(Array.from({ length: AT_ONCE }, copyNext))
  for (const one of done) if (one.status === 'rejected') throw one.reason
  return canClone
}

/** Build tools go by times. */
async function copyTraits(from: string, to: string, path: BytePath): Promise<void> {
  const { mode, atime, mtime } = await lstat(pathOnDisk(from, path))
  await utimes(pathOnDisk(to, path), atime, mtime)
  await chmod(pathOnDisk(to, path), mode & 0o777)
}

/** One that leads out of the checkout would lead to the user's files, or somewhere else. */
async function copyLink(from: string, to: string, path: BytePath, listed: Listed): Promise<void> {
  const target = await readlink(pathOnDisk(from, path), { encoding: 'latin1' }).catch(unlessGone)
  const leadsTo = target === undefined ? '..' : join(dirname(path), target)
  if (target === undefined || isAbsolute(target) || leadsTo.split('/')[0] === '..') {
    listed.passedOver += 1
    return
  }
  await symlink(Buffer.from(target, 'latin1'), pathOnDisk(to, path))
}

function unlessGone(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  return undefined
}
