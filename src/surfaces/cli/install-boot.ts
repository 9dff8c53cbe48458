/** `worker install` and `worker uninstall`. */
import { bootMethods } from '../../ports/boot.ts'
import type { BootView } from '../view.ts'
import { requireWritableStore } from '../writable-store.ts'
import type { CommandContext } from './command.ts'
import { exitCodes } from './exit-codes.ts'
import { parseChoice } from './flags.ts'

interface Given {
  readonly print?: true
  readonly method?: string
  readonly json?: true
}

const nothing: BootView = {
  installed: false,
  method: null,
  where: null,
  text: null,
  notes: [],
  removed: [],
}

export async function installBoot(
  { print, method: named, json }: Given,
  context: CommandContext,
): Promise<number> {
  const { holdfast, output } = context
  const boot = await holdfast.boot()
  const asked = named === undefined ? undefined : parseChoice(named, 'method', bootMethods)
  const method = asked ?? boot.chooseMethod()
  const { where, text } = boot.describe(method)
  if (print === true) {
    if (json === true) output.writeJson({ ...nothing, method, where, text })
    else output.write(text)
    return exitCodes.done
  }
  // What it starts finds a state directory that can serve.
  await requireWritableStore(context)
  const notes = [...(await boot.install(method))]
  if (json === true) output.writeJson({ ...nothing, installed: true, method, where, text, notes })
  else output.write(`the worker starts with the machine: ${method}, ${where}\n`)
  for (const note of notes) output.tell(note)
  return exitCodes.done
}

export async function uninstallBoot(
  json: boolean,
  { holdfast, output }: CommandContext,
): Promise<number> {
  const removed = [...(await (await holdfast.boot()).remove())]
  if (json) output.writeJson({ ...nothing, removed })
  else if (removed.length === 0) output.tell('nothing of ours started the worker with the machine')
  for (const where of json ? [] : removed) output.write(`removed: ${where}\n`)
  return exitCodes.done
}
