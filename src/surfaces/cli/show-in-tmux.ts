/** `run --tmux`: what a task does can be watched in a tmux session of its name. */
import { reach } from '../../domain/crash-points.ts'
import { messageOf } from '../../domain/errors.ts'
import { hasEnded, type Task } from '../../domain/task.ts'
import type { CommandContext } from './command.ts'

/** The task is handed in by now: whatever goes wrong here is told, and no more. */
export async function showInTmux({ request, state }: Task, context: CommandContext): Promise<void> {
  const { holdfast, output } = context
  const { id, name, agent } = request
  // Handed in before, under the same key.
  if (hasEnded(state)) return
  const wanted = sessionName(`${agent}-${name}`)
  const show = ['logs', '-f', id]
  try {
    const session = await (await holdfast.tmux()).show(
      [wanted, `${wanted}-${id}`],
      // The server may have been started by somebody with another state directory.
      ['env', `HOLDFAST_HOME=${holdfast.home}`, ...holdfast.command, ...show],
    )
    reach('submission.shown')
    output.tell(`watch it: tmux attach -t ${session}`)
  } catch (error) {
    output.tell(`it is not shown in tmux: ${messageOf(error)}`)
  }
}

/** Dots and colons lead to a window or a pane of a session; the rest of a terminal may not know. */
const sessionName = (name: string) => name.replace(/[^A-Za-z0-9_-]/g, '-')
