/**
 * What `opencode run --format json` writes to stdout: one JSON object a line, of the kinds and
 * fields seen from OpenCode 1.18.33. Objects are loose, because every release adds fields; and what
 * only decorates an event may be missing, so that no change of a detail costs the proof that a
 * step ended.
 */
import * as z from 'zod/mini'
import { maybe, parseJson, readEvent } from '../loose.ts'

/** Of one step; `input` is without what came from the cache, `output` without the reasoning. */
const wireTokens = z.looseObject({
  input: maybe(z.number()),
  output: maybe(z.number()),
  reasoning: maybe(z.number()),
  cache: maybe(z.looseObject({ read: maybe(z.number()), write: maybe(z.number()) })),
})

const said = { sessionID: z.string().check(z.minLength(1)), timestamp: maybe(z.number()) }

const wireEvent = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('step_start'), ...said }),
  z.looseObject({
    type: z.literal('text'),
    ...said,
    part: z.looseObject({ text: z.string(), messageID: maybe(z.string()) }),
  }),
  z.looseObject({
    type: z.literal('reasoning'),
    ...said,
    part: z.looseObject({ text: z.string() }),
  }),
  // Told once, when it has ended.
  z.looseObject({
    type: z.literal('tool_use'),
    ...said,
    part: z.looseObject({
      tool: z.string(),
      state: maybe(
        z.looseObject({
          /** `completed` or `error`. */
          status: maybe(z.string()),
          input: maybe(z.looseObject({ command: maybe(z.string()), filePath: maybe(z.string()) })),
          output: maybe(z.string()),
          error: maybe(z.string()),
          metadata: maybe(z.looseObject({ exit: maybe(z.nullable(z.number())) })),
        }),
      ),
    }),
  }),
  z.looseObject({
    type: z.literal('step_finish'),
    ...said,
    part: z.looseObject({
      /** `stop`, `tool-calls`, `length`, `content-filter`, … */
      reason: maybe(z.string()),
      tokens: maybe(wireTokens),
      cost: maybe(z.number()),
    }),
  }),
  z.looseObject({
    type: z.literal('error'),
    ...said,
    error: maybe(
      z.looseObject({
        name: maybe(z.string()),
        data: maybe(
          z.looseObject({
            message: maybe(z.string()),
            statusCode: maybe(z.number()),
            responseHeaders: maybe(z.record(z.string(), z.string())),
          }),
        ),
      }),
    ),
  }),
])

export type WireEvent = z.infer<typeof wireEvent>

export const parseLine = (line: string) => readEvent(wireEvent, parseJson(line))
