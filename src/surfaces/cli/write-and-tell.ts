import { AppError } from '../../domain/errors.ts'
import type { CommandContext } from './command.ts'
import { exitCodes, signalExitCode } from './exit-codes.ts'
import type { Output } from './output.ts'

/**
 * Does what writes into a checkout, and tells what came of it; the exit code. A signal in the middle
 * ends in the signal's own code, and it is said whether anything was done.
 */
export async function writeAndTell<View extends { readonly state: string }>(
  work: () => Promise<View>,
  json: boolean,
  show: (view: View, output: Output) => void,
  { output, interrupted }: CommandContext,
): Promise<number> {
  let view: View
  try {
    view = await work()
  } catch (error) {
    if (!(error instanceof AppError) || !interrupted.aborted) throw error
    output.tell(error.message)
    return signalExitCode(Number(interrupted.reason))
  }
  if (json) output.writeJson(view)
  else show(view, output)
  if (interrupted.aborted) {
    output.tell('interrupted, but too late: this was done')
    return signalExitCode(Number(interrupted.reason))
  }
  return view.state === 'conflicts' ? exitCodes.refused : exitCodes.done
}
