import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { mkdir, open, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { reach } from '../domain/crash-points.ts'
import type { CallerTokens } from '../ports/caller-tokens.ts'

const FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

export function makeCallerTokens(home: string): CallerTokens {
  const directory = join(home, 'callers')
  return {
    pathOf: socket =>
      join(directory, createHash('sha256').update(socket).digest('hex').slice(0, 32)),
    async keep(path, token) {
      // What is there may be read at this moment: it is written anew only if it is another.
      if ((await readFile(path, 'utf8').catch(() => null)) === token) return
      await mkdir(directory, { recursive: true, mode: 0o700 })
      await rm(path, { force: true })
      let file: Awaited<ReturnType<typeof open>>
      try {
        file = await open(path, FLAGS, 0o600)
      } catch (error) {
        // Somebody else of the same session keeps it in this moment.
        if ((error as NodeJS.ErrnoException).code === 'EEXIST') return
        throw error
      }
      try {
        await file.writeFile(token)
      } finally {
        await file.close()
      }
      reach('caller-token.kept')
    },
    async list() {
      try {
        return (await readdir(directory)).map(name => join(directory, name))
      } catch (error) {
        // Nobody has left one yet.
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
        throw error
      }
    },
    async forget(path) {
      await rm(path, { force: true })
      reach('caller-token.forgotten')
    },
  }
}
