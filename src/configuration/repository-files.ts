import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RepositoryFiles } from '../ports/repository-files.ts'
import { readIfThere } from './load.ts'

export const repositoryFiles: RepositoryFiles = {
  names: root => new Set(readdirSync(root)),
  read: (root, path) => readIfThere(join(root, path)),
  writeNew(root, path, text) {
    try {
      writeFileSync(join(root, path), text, { flag: 'wx' })
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
      throw error
    }
  },
}
