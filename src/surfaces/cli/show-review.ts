import type { Task } from '../../domain/task.ts'
import { acknowledgeShown } from '../acknowledge.ts'
import { findTops, renderReview } from '../review/render-review.ts'
import { viewReview } from '../review/view-review.ts'
import type { ReviewView } from '../view.ts'
import type { CommandContext } from './command.ts'

/** What an ended review found, on stdout. */
export async function showReview(
  task: Task,
  context: CommandContext,
  { json = false }: { readonly json?: boolean } = {},
): Promise<ReviewView> {
  const { output } = context
  const view = await viewReview(task, context)
  if (json) output.writeJson(view)
  else {
    output.write(renderReview(view, await findTops(task, context), output))
    if (output.stdoutIsTerminal && view.findings.length > 0) {
      output.tell(`next, to have them mended: holdfast run --findings ${task.request.id}`)
    }
  }
  await acknowledgeShown([task], context)
  return view
}
