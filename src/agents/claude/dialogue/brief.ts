/** What our side of a dialogue has to know: the file `brief` of an attempt. */
import * as z from 'zod/mini'

const brief = z.object({
  /** The session that it bears from the start. */
  session: z.string(),
  /** What Claude Code is told first. */
  prompt: z.string(),
  /** It asks before it edits or runs anything, and a person answers. */
  asks: z.boolean(),
})

type Brief = z.infer<typeof brief>

export const writeBrief = (content: Brief): string => JSON.stringify(content)

/** Throws on what we did not write. */
export const parseBrief = (text: string): Brief => brief.parse(JSON.parse(text))
