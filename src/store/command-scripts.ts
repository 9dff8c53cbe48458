/**
 * The files that a trusted command names, as they were trusted: `tasks/<id>/set-up/<n>`, and
 * `tasks/<id>/clean-up-scripts/<n>`. They are run from the worktree where they stand there unchanged,
 * since scripts look around from where they are; else from here.
 */
import { mkdir, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { reach } from '../domain/crash-points.ts'
import type { TaskId } from '../domain/ids.ts'
import type { CommandRole } from '../domain/set-up.ts'
import type { TaskFiles } from '../ports/task-files.ts'

type CommandScripts = Pick<TaskFiles, 'writeScripts' | 'readScript' | 'chooseScript'>

const DIRECTORIES: Readonly<Record<CommandRole, string>> = {
  'set-up': 'set-up',
  'clean-up': 'clean-up-scripts',
}

/** `directory` gives the task directory. */
export function makeCommandScripts(directory: (task: TaskId) => string): CommandScripts {
  const directoryOf = (task: TaskId, role: CommandRole) => join(directory(task), DIRECTORIES[role])
  const fileOf = (task: TaskId, role: CommandRole, n: number) =>
    join(directoryOf(task, role), String(n))
  return {
    async writeScripts(task, role, scripts) {
      if (scripts.length === 0) return
      await mkdir(directoryOf(task, role), { mode: 0o700 })
      for (const [n, bytes] of scripts.entries()) {
        await using file = await open(fileOf(task, role, n), 'wx', 0o600)
        await file.writeFile(bytes)
        await file.sync()
      }
      await using names = await open(directoryOf(task, role), 'r')
      await names.sync()
      reach('submission.scripts-written')
    },
    readScript: (task, role, n) => readFile(fileOf(task, role, n)),
    async chooseScript(task, role, n, standing) {
      const trusted = await readFile(fileOf(task, role, n))
      // Missing or not to be read: then it is not what was trusted.
      const found = await readFile(standing).catch(() => undefined)
      return found !== undefined && trusted.equals(found) ? standing : fileOf(task, role, n)
    },
  }
}
