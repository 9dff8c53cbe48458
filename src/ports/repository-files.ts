/** The files at the top of a checkout that `init` looks at and writes. */
export interface RepositoryFiles {
  names(root: string): ReadonlySet<string>
  /** Undefined: there is no such plain file. */
  read(root: string, path: string): string | undefined
  /** False: there is one already, which stays as it is. */
  writeNew(root: string, path: string, text: string): boolean
}
