import {
  blobId,
  type FileReading,
  type Other,
  READ_TRIES,
  readFileOnce,
  readLink,
  stampOf,
  streamFile,
} from '../files/contents.ts'
import { type BytePath, shownPath } from '../files/paths.ts'
import { type Conversion, storeConverted } from '../git/conversion.ts'
import type { FastImport } from '../git/fast-import.ts'
import type { Git } from '../git/git.ts'
import type { Settings } from '../git/settings.ts'
import { GITLINK, sameEntry, type TreeEntry } from '../git/status.ts'
import type { CaptureSource, Change } from './change.ts'
import { findReturned } from './verbatim.ts'

const LINK = '120000'

/** The taking of one working tree's changes: what is found at each path, and what is left out. */
export class Taking {
  readonly delta = new Map<BytePath, TreeEntry | null>()
  readonly leftOut: string[] = []
  readonly verbatim = new Map<BytePath, string>()
  readonly converted: BytePath[] = []
  readonly unchecked: BytePath[] = []
  readonly #source: CaptureSource
  readonly #importer: FastImport
  readonly #settings: () => Promise<Settings>
  /** Blobs that are in the stream already. */
  readonly #given = new Set<string>()

  /** `settings` costs a spawn, and is asked only where the answer makes a difference. */
  constructor(source: CaptureSource, importer: FastImport, settings: () => Promise<Settings>) {
    this.#source = source
    this.#importer = importer
    this.#settings = settings
  }

  leaveOut(path: BytePath, why: string): void {
    this.leftOut.push(`${shownPath(path)}: ${why}`)
  }

  /** Takes what a sparse checkout does not have on disk. */
  takeUnchecked(change: Change): void {
    this.unchecked.push(change.path)
    this.#put(change, change.unchecked)
  }

  takeGitlink(change: Change, commit: string): void {
    this.#put(change, { mode: GITLINK, object: commit })
  }

  /** Takes what is there instead of a regular file. */
  async takeOther(change: Change, found: Other): Promise<void> {
    const { path } = change
    switch (found.kind) {
      case 'gone':
      // The files of a directory, if it has any, are changes of their own.
      case 'directory':
        return this.#put(change, null)
      case 'special':
        this.leaveOut(path, `not taken: it is ${found.what}`)
        return this.#put(change, null)
      case 'unreadable':
        return this.leaveOut(path, `not taken: it cannot be read (${found.why})`)
      case 'link': {
        if (/(?:^|\/)\.gitmodules$/i.test(path)) {
          return this.leaveOut(path, 'not taken: git refuses a link of this name')
        }
        const target = readLink(this.#source.root, path)
        if ('kind' in target) return this.leaveOut(path, 'not taken: it keeps being replaced')
        return this.#put(change, { mode: LINK, object: await this.#storeBlob(change, target) })
      }
    }
  }

  /**
   * Takes a regular file, byte for byte, and again if it changed meanwhile; unless git would store
   * it in another form (`needs git`). `first`: a reading that was made already.
   */
  async takeFile(
    change: Change,
    conversion: Conversion,
    first?: FileReading | Other,
  ): Promise<'taken' | 'needs git'> {
    const { path } = change
    for (let tries = 1; ; tries++) {
      const early = tries === 1 ? first : undefined
      const reading = early ?? readFileOnce(this.#source.root, path)
      if ('kind' in reading) {
        await this.takeOther(change, reading)
        return 'taken'
      }
      if (await this.#needsGit(conversion, reading)) return 'needs git'
      const { entry, steady } = await this.#storeRaw(change, reading)
      if (!steady && tries < READ_TRIES) continue
      this.#putRead(change, entry, steady)
      const { provingIn } = this.#source
      if (provingIn !== null && conversion.eol === 'crlf' && entry !== null) {
        // It has no CR LF, but would get some.
        this.verbatim.set(path, entry.object)
      }
      return 'taken'
    }
  }

  async #needsGit({ always, lineEnds }: Conversion, reading: FileReading): Promise<boolean> {
    if (always || lineEnds === false || !mayHaveCrlf(reading)) return always
    return lineEnds === true || (await this.#settings()).autocrlf
  }

  /** Takes files in the form that git gives them; one whose filter fails, as it is on disk. */
  async takeConverted(git: Git, changes: readonly Change[]): Promise<void> {
    let left = changes
    for (let tries = 1; left.length > 0; tries++) {
      const stamp = ({ path }: Change) => stampOf(this.#source.root, path)
      const before = left.map(stamp)
      const paths = left.map(({ path }) => path)
      const { root, provingIn } = this.#source
      const place = await this.#source.place()
      const stored = await storeConverted(git, place, paths)
      const returned =
        provingIn === null ? null : await findReturned(git, place, root, paths, provingIn)
      const steady = left.map((change, n) => stamp(change) === before[n])
      for (const [n, change] of left.entries()) {
        if (steady[n] !== true && tries < READ_TRIES) continue
        const returns = returned === null || returned.has(change.path)
        await this.#takeStored(change, stored.get(change.path), steady[n] === true, returns)
      }
      left = tries < READ_TRIES ? left.filter((_, n) => steady[n] !== true) : []
    }
  }

  /** `returns`: a checkout gives these bytes back. */
  async #takeStored(
    change: Change,
    object: string | undefined,
    steady: boolean,
    returns: boolean,
  ): Promise<void> {
    const { path } = change
    const reading = readFileOnce(this.#source.root, path)
    if ('kind' in reading) return await this.takeOther(change, reading)
    const mode = await this.#modeOf(change, reading.executable)
    if (object !== undefined && returns) {
      this.converted.push(path)
      return this.#putRead(change, { mode, object }, steady)
    }
    const raw = await this.#storeRaw(change, reading)
    if (raw.entry !== null) this.verbatim.set(path, raw.entry.object)
    if (object === undefined) this.leaveOut(path, 'taken as it is on disk: its filter failed')
    const entry = object === undefined ? raw.entry : { mode, object }
    this.#putRead(change, entry, steady && raw.steady)
  }

  /** Null: the file shrank while it was read. */
  async #storeRaw(
    change: Change,
    { content, size, executable, steady }: FileReading,
  ): Promise<{ entry: TreeEntry | null; steady: boolean }> {
    const mode = await this.#modeOf(change, executable)
    if (content !== null) {
      return { entry: { mode, object: await this.#storeBlob(change, content) }, steady }
    }
    const { root, format } = this.#source
    const streamed = await this.#importer.largeBlob(size, take =>
      streamFile(root, change.path, size, format, take),
    )
    if (streamed.kind === 'torn') return { entry: null, steady: false }
    return { entry: { mode, object: streamed.object }, steady: streamed.steady }
  }

  async #storeBlob(change: Change, content: Uint8Array): Promise<string> {
    const object = blobId(content, this.#source.format)
    if (object !== change.before?.object && !this.#given.has(object)) {
      this.#given.add(object)
      await this.#importer.blob(content)
    }
    return object
  }

  #putRead(change: Change, entry: TreeEntry | null, steady: boolean): void {
    const { path } = change
    if (entry === null) {
      this.leaveOut(path, 'not taken: it shrinks while it is read')
    } else {
      if (!steady) this.leaveOut(path, 'taken while it changed: it may be torn')
      this.#put(change, entry)
    }
  }

  #put(change: Change, entry: TreeEntry | null): void {
    if (!sameEntry(change.before, entry)) this.delta.set(change.path, entry)
  }

  async #modeOf({ indexMode }: Change, executable: boolean): Promise<string> {
    const onDisk = executable ? '100755' : '100644'
    if (onDisk === (indexMode ?? '100644')) return onDisk
    const { fileMode, symlinks } = await this.#settings()
    if (indexMode === LINK) return symlinks ? onDisk : LINK
    if (fileMode) return onDisk
    // The exec bits on disk mean nothing.
    return indexMode?.startsWith('100') ? indexMode : '100644'
  }
}

/** Too large to look through at once counts as having some: git will look. */
function mayHaveCrlf({ content }: FileReading): boolean {
  return content?.includes('\r\n') ?? true
}
