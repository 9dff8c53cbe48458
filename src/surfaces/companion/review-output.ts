/** What an adversarial review answers: its schema, and how people read it. */
import * as z from 'zod/mini'
import { messageOf } from '../../domain/errors.ts'

const severities = ['critical', 'high', 'medium', 'low'] as const

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

const review = z.strictObject({
  verdict: z.enum(['approve', 'needs-attention']),
  summary: z.string(),
  findings: z.array(finding),
  next_steps: z.array(z.string()),
})

export type Review = z.infer<typeof review>

/** As JSON: what Codex is held to. */
export const reviewSchema = (): string => JSON.stringify(z.toJSONSchema(review))

export interface ParsedReview {
  /** Null: there is none, or it is none. */
  readonly review: Review | null
  readonly problem: string | null
}

/** `failure`: why there may be no answer; empty: the turn ended well. */
export function parseReview(answer: string, failure: string): ParsedReview {
  if (failure !== '') return { review: null, problem: failure }
  try {
    const parsed = z.safeParse(review, JSON.parse(answer))
    return parsed.success
      ? { review: parsed.data, problem: null }
      : { review: null, problem: z.prettifyError(parsed.error) }
  } catch (error) {
    return { review: null, problem: messageOf(error) }
  }
}

interface SaidOfReview {
  readonly answer: string
  readonly failure: string
  readonly reasoning: readonly string[]
}

export function renderReview(
  { review: parsed, problem }: ParsedReview,
  said: SaidOfReview,
  label: string,
): string {
  const head = ['# Codex Adversarial Review', '', `Target: ${label}`]
  const body = parsed === null ? renderProblem(problem, said) : renderFindings(parsed)
  return join([...head, ...body, ...renderReasoning(said)])
}

function renderProblem(problem: string | null, { answer, failure }: SaidOfReview): string[] {
  if (failure !== '') {
    const what = 'Codex review failed before returning a final verdict.'
    return ['', what, '', `- Runtime error: ${failure}`]
  }
  const lines = ['', 'Codex did not return valid structured JSON.', '', `- Parse error: ${problem}`]
  return answer === '' ? lines : [...lines, '', 'Raw final message:', '', '```text', answer, '```']
}

function renderFindings({ verdict, summary, findings, next_steps }: Review): string[] {
  const rank = (severity: Review['findings'][number]['severity']) => severities.indexOf(severity)
  const sorted = [...findings].sort((a, b) => rank(a.severity) - rank(b.severity))
  return [
    `Verdict: ${verdict}`,
    '',
    summary,
    '',
    ...(sorted.length === 0 ? ['No material findings.'] : ['Findings:']),
    ...sorted.flatMap(({ severity, title, body, file, line_start, line_end, recommendation }) => [
      `- [${severity}] ${title} (${file}:${line_start}${line_end > line_start ? `-${line_end}` : ''})`,
      `  ${body}`,
      ...(recommendation === '' ? [] : [`  Recommendation: ${recommendation}`]),
    ]),
    ...(next_steps.length === 0 ? [] : ['', 'Next steps:', ...next_steps.map(step => `- ${step}`)]),
  ]
}

export function renderPlainReview(said: SaidOfReview, label: string): string {
  const { answer, failure } = said
  const otherwise = failure === '' ? 'Codex returned no review.' : 'Codex review failed.'
  const stderr = failure === '' ? [] : ['', 'stderr:', '', '```text', failure, '```']
  return join([
    '# Codex Review',
    '',
    `Target: ${label}`,
    '',
    answer.trim() || otherwise,
    ...stderr,
    ...renderReasoning(said),
  ])
}

function renderReasoning({ reasoning }: SaidOfReview): string[] {
  return reasoning.length === 0 ? [] : ['', 'Reasoning:', ...reasoning.map(text => `- ${text}`)]
}

const join = (lines: readonly string[]) => `${lines.join('\n').trimEnd()}\n`
