/** What stands at a path of a checkout, to the byte: what a file must still be before it is moved. */
import { createHash } from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
} from 'node:fs'
import { blobId, describeOther, type ObjectFormat } from './contents.ts'
import { makeNameLook } from './names.ts'
import { type BytePath, pathOnDisk } from './paths.ts'

export interface StandingFile {
  readonly kind: 'file'
  /** The id of a blob with exactly these bytes, whatever git's filters would make of them. */
  readonly object: string
  readonly size: number
  /** Permission bits. */
  readonly mode: number
}

export type Standing = StandingFile | { readonly kind: 'link'; readonly object: string }

/** Neither file nor link: nothing that we could keep. */
export type StandsInTheWay =
  | { readonly kind: 'directory' }
  | { readonly kind: 'other'; readonly what: string }

export function isObstacle(found: Standing | StandsInTheWay | null): found is StandsInTheWay {
  return found?.kind === 'directory' || found?.kind === 'other'
}

export function describeObstacle(found: StandsInTheWay): string {
  return found.kind === 'directory' ? 'a directory' : found.what
}

const CHUNK_BYTES = 1024 * 1024
const READ_PLAINLY = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
const PERMISSIONS = 0o777

/** Null: nothing stands there. Follows no link at the end of the path. */
export function readStanding(
  place: Buffer | string,
  format: ObjectFormat,
): Standing | StandsInTheWay | null {
  try {
    const stats = lstatSync(place, { bigint: true })
    if (stats.isSymbolicLink()) {
      return { kind: 'link', object: blobId(readlinkSync(place, { encoding: 'buffer' }), format) }
    }
    if (stats.isDirectory()) return { kind: 'directory' }
    if (stats.isFile()) return readFile(place, format)
    const found = describeOther(stats)
    return { kind: 'other', what: found.kind === 'special' ? found.what : found.kind }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return null
    return { kind: 'other', what: `a file that cannot be read (${code ?? String(error)})` }
  }
}

export function permissionsOf(place: Buffer | string): number {
  return lstatSync(place).mode & PERMISSIONS
}

function readFile(place: Buffer | string, format: ObjectFormat): StandingFile | StandsInTheWay {
  const file = openSync(place, READ_PLAINLY)
  try {
    const { size, mode } = fstatSync(file)
    const hash = createHash(format).update(`blob ${size}\0`)
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size + 1))
    let left = size
    for (let read = -1; read !== 0; left -= read) {
      read = readSync(file, chunk, 0, chunk.length, null)
      hash.update(chunk.subarray(0, read))
    }
    if (left !== 0) return { kind: 'other', what: 'a file that changes while it is read' }
    return { kind: 'file', object: hash.digest('hex'), size, mode: mode & PERMISSIONS }
  } finally {
    closeSync(file)
  }
}

export type StandingLook = (path: BytePath) => Standing | StandsInTheWay | null

/** Looks at the paths of a checkout; what is there by another name is not there. */
export function makeStandingLook(root: string, format: ObjectFormat): StandingLook {
  const isNamed = makeNameLook(root)
  return path => (isNamed(path) ? readStanding(pathOnDisk(root, path), format) : null)
}

/** To the byte, and with all permission bits. */
export function isSame(a: Standing | StandsInTheWay | null, b: Standing | null): boolean {
  if (a === null || b === null) return a === b
  if (a.kind === 'file' && b.kind === 'file') return a.object === b.object && a.mode === b.mode
  return a.kind === 'link' && b.kind === 'link' && a.object === b.object
}

/** As git sees it: of the permission bits, only whether it is a program. */
export function looksSame(a: Standing | StandsInTheWay | null, b: Standing | null): boolean {
  if (a?.kind !== 'file' || b?.kind !== 'file') return isSame(a, b)
  return a.object === b.object && isProgram(a.mode) === isProgram(b.mode)
}

/** Git looks at the owner's bit alone. */
export const isProgram = (mode: number) => (mode & 0o100) !== 0

/** Made a program, or no longer one; who may read it stays as it was. */
export function withProgramBit(mode: number, program: boolean): number {
  return program ? mode | ((mode & 0o444) >> 2) : mode & ~0o111
}
