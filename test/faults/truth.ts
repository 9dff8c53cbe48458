/** P1 and P6: what a look finds right after a blow, while nobody has put anything in order yet. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { compose } from '../../src/compose.ts'
import { isActive } from '../../src/domain/task.ts'
import { judgeNow } from '../../src/engine/judge-now.ts'
import { type Actor, find } from './cast.ts'
import { readTasks } from './rows.ts'
import type { Stage } from './stage.ts'

/**
 * What is said of a task that is not so. Nothing is asked where a worker lives: it may take the
 * moment that it has for noticing.
 */
export async function untruths(stage: Stage, who: readonly Actor[]): Promise<string[]> {
  const known = readTasks(stage.home)
  if (known.length === 0 || !existsSync(join(stage.home, 'store.db'))) return []
  const environment = { PATH: process.env.PATH, HOME: stage.scratch, HOLDFAST_HOME: stage.home }
  const holdfast = compose(environment, stage.ground.entry)
  const found: string[] = []
  try {
    const store = await holdfast.store()
    const ports = { host: await holdfast.host(), files: await holdfast.files() }
    const isUp = (await holdfast.presence()).look() !== undefined
    for (const { id } of known) {
      const task = (await store.findTasksNamed(id))[0]
      if (task === undefined) {
        found.push(`a look does not find ${id}`)
        continue
      }
      if (isUp || !('request' in task) || !isActive(task.state)) continue
      const before = find('agent', stage, id)
      const judged = judgeNow(task, Date.now(), ports)
      const lives = before ?? find('wrapper', stage, id)
      // One that ended in this very moment was alive when it was judged, or dead: both are true.
      if (before !== find('agent', stage, id)) continue
      const saysAlive = ['starting', 'running'].includes(judged.name) && judged.remark === null
      if (saysAlive && lives === undefined) {
        found.push(`a look says ${judged.name}, and nobody lives (${who.join(', ')} killed)`)
      }
      if (judged.name === 'waiting' && before !== undefined) {
        found.push(`a look says that it waits, and its agent lives`)
      }
    }
  } finally {
    await holdfast.close()
  }
  return found
}
