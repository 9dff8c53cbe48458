/**
 * Moves working files out of their places and others in, so that no byte of anybody's is lost,
 * whenever who writes what: a file is first renamed out of its place and only then looked at, and a
 * new one never replaces anything. Either is one call of the system, which nobody can come between.
 */
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  symlinkSync,
} from 'node:fs'
import { reach } from '../../domain/crash-points.ts'
import type { ObjectFormat } from '../files/contents.ts'
import { type BytePath, pathOnDisk } from '../files/paths.ts'
import { isSame, readStanding, type Standing } from '../files/standing.ts'
import { lookAbove } from './obstacles.ts'

export interface Step {
  readonly path: BytePath
  readonly from: Standing | null
  readonly to: Standing | null
  /** A file or link that is what is to stand there, on the same file system unless it is a link; null: none. */
  readonly source: string | Buffer | null
  /** Where what stands there goes; on the same file system. */
  readonly away: string
}

export interface Exchange {
  readonly root: string
  readonly format: ObjectFormat
  readonly steps: readonly Step[]
  /** Directories that go if they are empty by then, innermost first. */
  readonly vacated: readonly BytePath[]
  /** Directories that are made, outermost first; without a mode as the umask says. */
  readonly made: readonly { readonly path: BytePath; readonly mode?: number }[]
}

/** Somebody else has written there. What was found is in its place again. */
export class Edited extends Error {
  override readonly name = 'Edited'
  readonly path: BytePath

  constructor(path: BytePath) {
    super(`edited meanwhile: ${path}`)
    this.path = path
  }
}

/**
 * All steps, or an error at the first that cannot be done: those before it stay done. What only
 * goes goes first, so that a file can stand where a directory was, and a directory where a file was.
 */
export function exchange({ root, format, steps, vacated, made }: Exchange): void {
  const take = (step: Step) => takeAway(root, step, format)
  const put = (step: Step) => putInPlace(root, step)
  for (const step of steps) if (step.to === null) take(step)
  for (const path of vacated) removeIfEmpty(pathOnDisk(root, path))
  for (const { path, mode } of made) makeDirectory(pathOnDisk(root, path), mode)
  for (const step of steps) {
    if (step.from === null || step.to === null) continue
    take(step)
    put(step)
  }
  for (const step of steps) if (step.from === null) put(step)
}

function takeAway(root: string, { path, from, away }: Step, format: ObjectFormat): void {
  const place = pathOnDisk(root, path)
  requireRealDirectories(root, path)
  try {
    renameSync(place, away)
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ENOENT' ? new Edited(path) : error
  }
  reach('exchange.taken-away')
  if (isSame(readStanding(away, format), from)) return
  if (lstatSync(place, { throwIfNoEntry: false }) === undefined) renameSync(away, place)
  throw new Edited(path)
}

/** File systems without hard links, or without the right to make this one. */
export const NO_LINK = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']

function putInPlace(root: string, { path, to, source }: Step): void {
  if (to === null || source === null) return
  const place = pathOnDisk(root, path)
  requireRealDirectories(root, path)
  try {
    if (to.kind === 'link') symlinkSync(readlinkSync(source, { encoding: 'buffer' }), place)
    else linkSync(source, place)
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') throw new Edited(path)
    if (to.kind === 'link' || !NO_LINK.includes(code)) throw error
    if (lstatSync(place, { throwIfNoEntry: false }) !== undefined) throw new Edited(path)
    renameSync(source, place)
  }
  reach('exchange.put')
}

/** What lies behind a link is not part of the checkout, however it came to be there. */
function requireRealDirectories(root: string, path: BytePath): void {
  const above = lookAbove({ root, leaving: new Set(), isNamed: () => true }, path)
  if (typeof above === 'string') throw new Edited(path)
}

function removeIfEmpty(directory: Buffer): void {
  try {
    rmdirSync(directory)
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    // Something of somebody's is in it, or it is gone already: either is as it should be.
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT', 'ENOTDIR'].includes(code)) throw error
  }
}

function makeDirectory(directory: Buffer, mode = 0o777): void {
  try {
    mkdirSync(directory, { mode })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}
