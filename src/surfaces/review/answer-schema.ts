/** The one shape of what reviews answer: agents that can be are held to it. */
import * as z from 'zod/mini'
import { reviewVerdicts, severities } from '../../domain/review.ts'

const finding = z.strictObject({
  severity: z.enum(severities),
  title: z.string(),
  body: z.string(),
  file: z.string(),
  line_start: z.int().check(z.gte(1)),
  line_end: z.int().check(z.gte(1)),
  confidence: z.number().check(z.gte(0), z.lte(1)),
  recommendation: z.string(),
})

const answer = z.strictObject({
  verdict: z.enum(reviewVerdicts),
  summary: z.string(),
  findings: z.array(finding),
  next_steps: z.array(z.string()),
})

/** As JSON; without the name of its dialect, which Claude Code (2.1.329) takes for a schema that it lacks. */
export function answerSchema(): string {
  const { $schema: _, ...schema } = z.toJSONSchema(answer)
  return JSON.stringify(schema)
}
