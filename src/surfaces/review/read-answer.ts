/**
 * Reads the answer of a review. An agent that was only asked for the shape may put words or a fence
 * around it, and be loose in it; what it says is taken, and nothing is made up. Pure.
 */
import * as z from 'zod/mini'
import {
  type ReviewAnswer,
  type ReviewFinding,
  reviewVerdicts,
  type Severity,
  severities,
} from '../../domain/review.ts'

/** `problem`: why it cannot be read. */
export type ReadAnswer =
  | { readonly answer: ReviewAnswer; readonly problem: null }
  | { readonly answer: null; readonly problem: string }

/** Of several documents in the text, the last that is a review counts. */
export function readAnswer(text: string): ReadAnswer {
  let problem: string | undefined
  for (const document of findDocuments(text)) {
    const parsed = z.safeParse(looseAnswer, document)
    if (parsed.success) return { answer: parsed.data, problem: null }
    const [issue] = parsed.error.issues
    problem ??= `${issue?.path.join('.') || 'the document'}: ${issue?.message}`
  }
  return { answer: null, problem: problem ?? 'there is no JSON document in it' }
}

/** So many characters are looked at, one by one, and not all from each brace: a text may be full of them. */
const MOST_LOOKED_AT = 2_000_000

/** The whole, or what lies between braces in it; the last first. */
function findDocuments(text: string): readonly unknown[] {
  const whole = parseObject(text.trim())
  if (whole !== undefined) return [whole]
  const found: unknown[] = []
  const opening = /\{\s*"/g
  for (let left = MOST_LOOKED_AT; left > 0; ) {
    const start = opening.exec(text)?.index
    if (start === undefined) break
    const end = endOfObject(text, start)
    left -= (end ?? text.length) - start
    const document = end === undefined ? undefined : parseObject(text.slice(start, end))
    if (document === undefined) continue
    found.unshift(document)
    // What lies within one is a part of it.
    opening.lastIndex = end ?? text.length
  }
  return found
}

function parseObject(text: string): unknown {
  if (!text.startsWith('{')) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined // Then it is words.
  }
}

/** Behind the brace that closes the one at `start`; braces in strings are none. Undefined: none does. */
function endOfObject(text: string, start: number): number | undefined {
  let depth = 0
  const signs = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}]/gs
  signs.lastIndex = start
  for (let sign = signs.exec(text); sign !== null; sign = signs.exec(text)) {
    if (sign[0] === '{') depth++
    if (sign[0] === '}' && --depth === 0) return signs.lastIndex
  }
  return undefined
}

const said = z.catch(z.string(), '')
const asNumber = z.pipe(
  z.unknown(),
  z.transform(value => {
    const isWritten = typeof value === 'string' && /^\d+(?:\.\d+)?$/.test(value.trim())
    return typeof value === 'number' ? value : isWritten ? Number(value) : null
  }),
)

/** `Needs attention`, `needs_attention`. */
const verdict = z.pipe(
  z.pipe(
    z.string(),
    z.transform(text =>
      text
        .trim()
        .toLowerCase()
        .replace(/[\s_]+/g, '-'),
    ),
  ),
  z.enum(reviewVerdicts),
)

const looseFinding = z.pipe(
  z
    .looseObject({
      title: said,
      body: said,
      severity: said,
      file: said,
      line_start: z.optional(asNumber),
      line_end: z.optional(asNumber),
      line: z.optional(asNumber),
      confidence: z.optional(asNumber),
      recommendation: said,
    })
    .check(z.refine(({ title, body }) => `${title}${body}`.trim() !== '', 'it says nothing')),
  z.transform((found): ReviewFinding => {
    const { title, body, recommendation } = found
    const { file, from, to } = splitPlace(found.file)
    const start = asLine(found.line_start ?? found.line) ?? from
    const end = asLine(found.line_end) ?? to
    const { confidence = null } = found
    return {
      severity: asSeverity(found.severity),
      title: title.trim() || firstLine(body),
      body,
      file,
      line_start: start,
      line_end: start === null ? null : Math.max(start, end ?? start),
      confidence: confidence !== null && confidence >= 0 && confidence <= 1 ? confidence : null,
      recommendation,
    }
  }),
)

const looseAnswer = z.pipe(
  z.looseObject({
    verdict,
    summary: said,
    findings: z.array(looseFinding),
    next_steps: z.catch(z.array(z.string()), []),
  }),
  z.transform(
    ({ verdict, summary, findings, next_steps }): ReviewAnswer => ({
      verdict,
      summary,
      findings,
      next_steps,
    }),
  ),
)

const asLine = (line: number | null | undefined) =>
  line != null && Number.isSafeInteger(line) && line >= 1 ? line : null

/** `a.ts:3-7` is a file and its lines. */
function splitPlace(text: string) {
  const [, file, from, to] = /^(.+?):(\d{1,9})(?:[-–](\d{1,9}))?$/.exec(text.trim()) ?? []
  return {
    file: (file ?? text.trim()) || null,
    from: asLine(from === undefined ? null : Number(from)),
    to: asLine(to === undefined ? null : Number(to)),
  }
}

/** By other names that reviewers use. */
const SAME: Readonly<Record<string, Severity>> = {
  blocker: 'critical',
  p0: 'critical',
  major: 'high',
  p1: 'high',
  moderate: 'medium',
  p2: 'medium',
  minor: 'low',
  nit: 'low',
  info: 'low',
  p3: 'low',
}

function asSeverity(text: string): Severity | null {
  const word = text.trim().toLowerCase()
  return (
    severities.find(known => known === word) ??
    (Object.hasOwn(SAME, word) ? SAME[word] : undefined) ??
    null
  )
}

const firstLine = (text: string) => text.trim().split('\n', 1)[0] ?? ''
