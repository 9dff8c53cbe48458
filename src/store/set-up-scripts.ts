/**
 * The files that a trusted set-up command names, as they were trusted: `tasks/<id>/set-up/<n>`. They
 * are run from the worktree where they stand there unchanged, since scripts look around from where
 * they are; else from here.
 */
import { mkdir, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { reach } from '../domain/crash-points.ts'
import type { TaskId } from '../domain/ids.ts'
import type { TaskFiles } from '../ports/task-files.ts'

type SetUpScripts = Pick<TaskFiles, 'writeSetUpScripts' | 'readSetUpScript' | 'chooseSetUpScript'>

/** `directory` gives the task directory. */
export function makeSetUpScripts(directory: (task: TaskId) => string): SetUpScripts {
  const fileOf = (task: TaskId, n: number) => join(directory(task), 'set-up', String(n))
  return {
    async writeSetUpScripts(task, scripts) {
      if (scripts.length === 0) return
      await mkdir(join(directory(task), 'set-up'), { mode: 0o700 })
      for (const [n, bytes] of scripts.entries()) {
        await using file = await open(fileOf(task, n), 'wx', 0o600)
        await file.writeFile(bytes)
        await file.sync()
      }
      await using names = await open(join(directory(task), 'set-up'), 'r')
      await names.sync()
      reach('submission.scripts-written')
    },
    readSetUpScript: (task, n) => readFile(fileOf(task, n)),
    async chooseSetUpScript(task, n, standing) {
      const trusted = await readFile(fileOf(task, n))
      // Missing or not to be read: then it is not what was trusted.
      const found = await readFile(standing).catch(() => undefined)
      return found !== undefined && trusted.equals(found) ? standing : fileOf(task, n)
    },
  }
}
