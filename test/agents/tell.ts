/** Says something to a running task, as a surface does: it is stored, and a worker is rung. */
import { compose } from '../../src/compose.ts'
import type { TaskId } from '../../src/domain/ids.ts'
import { say } from '../../src/engine/say.ts'
import { entry, type House } from '../end-to-end/house.ts'

/** `rings`: false, and no worker hears of it. */
export async function tell(house: House, id: string, text: string, rings = true): Promise<void> {
  const holdfast = compose(house.environment, entry)
  try {
    const store = await holdfast.store()
    const task = await store.findTask(id as TaskId)
    if (task === undefined) throw new Error(`no task ${id}`)
    const message = await say(task, text, await holdfast.agent(task.agent), store, Date.now())
    if (message === undefined) throw new Error('it hears nothing any more')
    if (rings) await (await holdfast.presence()).ring()
  } finally {
    await holdfast.close()
  }
}
