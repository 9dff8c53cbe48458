/** What a capture takes: which paths, and from where. */
import type { ObjectFormat } from '../files/contents.ts'
import type { BytePath } from '../files/paths.ts'
import type { GitPlace } from '../git/git.ts'
import type { TreeEntry } from '../git/status.ts'

/** A path where the working tree may differ from the commit that it is captured against. */
export interface Change {
  readonly path: BytePath
  /** What that commit has there. */
  readonly before: TreeEntry | null
  /** False: git saw that it is gone from disk. */
  readonly present: boolean
  /** What stands there if it is a directory: a submodule. Null: it neither is nor was one. */
  readonly gitlink: Gitlink | null
  /** The index's mode of a tracked file: it holds where the disk's exec bit means nothing. */
  readonly indexMode: string | null
  /** What it is where it is not checked out and yet not deleted, in a sparse checkout. */
  readonly unchecked: TreeEntry | null
}

/** The commit that a submodule stands on, as far as it can be taken; else why not. */
export type Gitlink = { readonly commit: string } | { readonly refused: string }

/** Where changes are read from. */
export interface CaptureSource {
  /** With a private index, which is used up. Nearly always nobody asks for it. */
  readonly place: () => Promise<GitPlace>
  readonly root: string
  readonly format: ObjectFormat
  /** A private directory, to find out in which bytes a checkout would not give back; null: let it. */
  readonly provingIn: string | null
}
