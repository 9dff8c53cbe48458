import type { Application } from '../ports/applications.ts'

/** What is said of what had been killed half-way, and stood in the way of more. */
export function describeMended({ task, isPick }: Pick<Application, 'task' | 'isPick'>): string {
  return isPick
    ? `a pick of ${task} that was killed half-way was ended first, or taken back`
    : `an apply of ${task} that was killed half-way was taken back first`
}
