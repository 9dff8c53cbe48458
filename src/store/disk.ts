/** The port `Disk`: a walk that looks at every name below a path once, and two small files. */
import {
  type BigIntStats,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Measured } from '../domain/disk-budget.ts'
import type { Disk, RecordedUse, Tree } from '../ports/disk.ts'

/** What `status` reads. */
const USE_FILE = 'disk.json'
/** May be deleted at any time: it is measured again. */
const MEASURED_FILE = join('cache', 'disk.json')

/** So long nobody else of this process gets a turn; then half of the time belongs to others. */
const SLICE_MS = 4

/** `home` is the state directory, absolute. */
export function makeDisk(home: string): Disk {
  return {
    measure,
    space() {
      const { bavail, blocks, bsize } = statfsSync(home)
      return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
    },
    loadMeasured() {
      const read = Object.entries(parseFile(join(home, MEASURED_FILE)) ?? {})
      return new Map(read.filter((entry): entry is [string, Measured] => isMeasured(entry[1])))
    },
    saveMeasured(measured) {
      write(join(home, MEASURED_FILE), Object.fromEntries<Measured>(measured))
    },
    loadUse: () => loadUse(home),
    saveUse: use => write(join(home, USE_FILE), use),
  }
}

/** By hand: zod would cost `status` a sixth of its time. What is not as we write it says nothing. */
function isMeasured(value: unknown): value is Measured {
  const { bytes, at } = (value ?? {}) as Partial<Measured>
  return typeof bytes === 'number' && typeof at === 'number'
}

/** As above. */
function loadUse(home: string): RecordedUse | undefined {
  const read = parseFile(join(home, USE_FILE)) as RecordedUse | null | undefined
  const isOurs =
    typeof read?.budgetBytes === 'number' &&
    typeof read.measuredAt === 'number' &&
    typeof read.use?.worktrees === 'number' &&
    typeof read.use.snapshots === 'number'
  return isOurs ? read : undefined
}

function parseFile(path: string): object | null | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    // Missing or torn: it says nothing.
    return undefined
  }
}

/** Renamed into place; it need not outlast a power cut. */
function write(path: string, content: object): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    writeFileSync(`${path}.new`, JSON.stringify(content), { mode: 0o600 })
    renameSync(`${path}.new`, path)
  } catch {
    // A full disk, or the worker and `gc` at the same moment: the next round writes it down.
  }
}

/** See `Disk.measure`. Paths are bytes: a name need not be text. */
export async function measure(
  path: string | Buffer,
  leave: AbortSignal,
): Promise<Tree | undefined> {
  const root = lookAt(Buffer.from(path))
  if (root === undefined) return { bytes: 0, holdsRepository: false }
  let bytes = Number(root.blocks) * 512
  let holdsRepository = false
  const several = new Set<string>()
  const open: Buffer[] = root.isDirectory() ? [Buffer.from(path)] : []
  let since = performance.now()
  for (let directory = open.pop(); directory !== undefined; directory = open.pop()) {
    for (const name of namesIn(directory)) {
      if (performance.now() - since > SLICE_MS) {
        await pause(SLICE_MS)
        since = performance.now()
      }
      if (leave.aborted) return undefined
      const place = Buffer.concat([directory, SLASH, name])
      const stats = lookAt(place)
      if (stats === undefined || stats.dev !== root.dev) continue
      if (name.equals(GIT)) holdsRepository = true
      if (stats.isDirectory()) open.push(place)
      else if (stats.nlink > 1n) {
        const identity = `${stats.ino}`
        if (several.has(identity)) continue
        several.add(identity)
      }
      bytes += Number(stats.blocks) * 512
    }
  }
  return { bytes, holdsRepository }
}

const SLASH = Buffer.from('/')
const GIT = Buffer.from('.git')

function namesIn(directory: Buffer): readonly Buffer[] {
  try {
    return readdirSync(directory, { encoding: 'buffer' })
  } catch {
    // Closed, or gone meanwhile.
    return []
  }
}

/** With large numbers: an inode need not fit into a double. */
function lookAt(path: Buffer): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true, throwIfNoEntry: false })
  } catch {
    // Below a directory that may not be entered.
    return undefined
  }
}
