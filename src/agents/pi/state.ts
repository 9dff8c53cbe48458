/** What is kept of Pi's output beside its translation; plain JSON, stored at every look. */
import * as z from 'zod/mini'
import type { Translation } from '../../ports/agent.ts'
import { settleKey } from './commands.ts'
import { type OpenRequest, openRequest, questionOf } from './requests.ts'

const talk = z.object({
  /** It has taken the prompt. */
  isBegun: z.boolean(),
  /** So many runs have ended: Pi runs anew where it tries again, and for each further prompt. */
  ends: z.number(),
  /** A run has ended, and what comes of that is not known yet; its trouble, null: it ended well. */
  ended: z.nullable(z.object({ trouble: z.nullable(z.string()) })),
  /** Pi does something by itself before it goes on, or does not. */
  waitsFor: z.nullable(z.enum(['retry', 'compaction'])),
  /** The model's last message was broken off because we asked for it. */
  isAborted: z.boolean(),
  /** Messages to which Pi has said something, by their numbers. */
  taken: z.array(z.number()),
  /** Of these, what its model was not shown yet. */
  queued: z.array(z.object({ number: z.number(), digest: z.string() })),
  /** Of these, what Pi did not take. */
  refused: z.array(z.number()),
  /** It has something in its queue, and does nothing. */
  isStuck: z.boolean(),
  /** So often it was made to go on since its model was shown anything of that. Absent: never. */
  kicks: z.optional(z.number()),
  requests: z.array(openRequest),
})

/** A dialogue so far. */
export type Talk = z.infer<typeof talk>

const memory = z.object({
  /** What tool calls that have not ended were to do, by their ids: the end does not say it. */
  calls: z.record(z.string(), z.string()),
  /** How the model's last message ended; null: well. */
  trouble: z.nullable(z.string()),
  /** Absent: Pi was given its prompt alone. */
  talk: z.optional(talk),
})

export type Memory = z.infer<typeof memory>

export const NOTHING: Memory = { calls: {}, trouble: 'the turn ended without a word of the model' }

export const NEW_TALK: Talk = {
  isBegun: false,
  ends: 0,
  ended: null,
  waitsFor: null,
  isAborted: false,
  taken: [],
  queued: [],
  refused: [],
  isStuck: false,
  requests: [],
}

export function memoryOf({ own }: Translation): Memory {
  return memory.safeParse(own).data ?? NOTHING
}

/** The key of the question whether Pi has come to rest; undefined: it need not be asked. */
export function findSettleKey({ turn }: Translation, talk: Talk): string | undefined {
  const { ended, ends, queued } = talk
  const isInDoubt = ended !== null || (turn !== null && queued.length > 0 && !talk.isStuck)
  return isInDoubt ? settleKey(ends, queued.at(-1)?.number ?? 0) : undefined
}

/** Questions follow from the requests. */
export function withTalk(state: Translation, changed: Partial<Talk>): Translation {
  const { questions: _, ...rest } = state
  const known = memoryOf(state)
  const next = { ...(known.talk ?? NEW_TALK), ...changed }
  const questions = (next.requests as readonly OpenRequest[]).map(questionOf)
  return { ...rest, own: { ...known, talk: next }, ...(questions.length > 0 && { questions }) }
}
