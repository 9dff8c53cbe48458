/** What our side of a dialogue has to know: the file `brief` of an attempt. */
import * as z from 'zod/mini'

const brief = z.object({
  /** What Pi is told first. */
  prompt: z.string(),
  /** Whoever asked for the task is asked what Pi and its extensions ask. */
  asks: z.boolean(),
})

export type Brief = z.infer<typeof brief>

export const writeBrief = (content: Brief): string => JSON.stringify(content)

/** Throws on what we did not write. */
export const parseBrief = (text: string): Brief => brief.parse(JSON.parse(text))
