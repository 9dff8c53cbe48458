import type { Application } from '../ports/applications.ts'
import type { SurfaceContext } from './context.ts'

/**
 * Whoever writes into a checkout is stopped by a signal until the first file is written, and then by
 * nothing. From here on a signal waits.
 */
export function holdSignals({ interrupted, output }: SurfaceContext) {
  return {
    isStopped: () => interrupted.aborted,
    onMended: (mended: Application) => output.tell(describeMended(mended)),
  }
}

/** What had been killed half-way, and stood in the way of more. */
function describeMended({ task, isPick }: Application): string {
  return isPick
    ? `a pick of ${task} that was killed half-way was ended first, or taken back`
    : `an apply of ${task} that was killed half-way was taken back first`
}
