/** What a review answers in the words of the companion, and how people read it. */
import { type ReviewFinding, sortFindings } from '../../domain/review.ts'
import { readAnswer } from '../review/read-answer.ts'

/** As the original has it: nothing is missing. */
export interface Review {
  readonly verdict: 'approve' | 'needs-attention'
  readonly summary: string
  readonly findings: readonly Finding[]
  readonly next_steps: readonly string[]
}

type Finding = { readonly [Key in keyof ReviewFinding]: NonNullable<ReviewFinding[Key]> }

export interface ParsedReview {
  /** Null: there is none, or it is none. */
  readonly review: Review | null
  readonly problem: string | null
}

/** `failure`: why there may be no answer; empty: the turn ended well. */
export function parseReview(text: string, failure: string): ParsedReview {
  if (failure !== '') return { review: null, problem: failure }
  const { answer, problem } = readAnswer(text)
  if (answer === null) return { review: null, problem }
  const findings = answer.findings.filter(isWhole)
  return findings.length === answer.findings.length
    ? { review: { ...answer, findings }, problem: null }
    : { review: null, problem: 'a finding lacks its file, lines, severity or confidence' }
}

function isWhole(finding: ReviewFinding): finding is Finding {
  return !Object.values(finding).includes(null)
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

/** A plain review is words: those of the document, or whatever was said. */
export function wordsOfReview(text: string, failure: string): string {
  const { review } = parseReview(text, failure)
  return review === null ? text : renderFindings(review).join('\n').trim()
}

function renderFindings({ verdict, summary, findings, next_steps }: Review): string[] {
  return [
    `Verdict: ${verdict}`,
    '',
    summary,
    '',
    ...(findings.length === 0 ? ['No material findings.'] : ['Findings:']),
    ...sortFindings(findings).flatMap(renderFinding),
    ...(next_steps.length === 0 ? [] : ['', 'Next steps:', ...next_steps.map(step => `- ${step}`)]),
  ]
}

function renderFinding(found: Finding): string[] {
  const { severity, title, body, file, line_start, line_end, recommendation } = found
  const lines = line_end > line_start ? `${line_start}-${line_end}` : `${line_start}`
  return [
    `- [${severity}] ${title} (${file}:${lines})`,
    `  ${body}`,
    ...(recommendation === '' ? [] : [`  Recommendation: ${recommendation}`]),
  ]
}

/** `words`: what it found. */
export function renderPlainReview(
  words: string,
  { failure, reasoning }: Omit<SaidOfReview, 'answer'>,
  label: string,
): string {
  const otherwise = failure === '' ? 'Codex returned no review.' : 'Codex review failed.'
  const stderr = failure === '' ? [] : ['', 'stderr:', '', '```text', failure, '```']
  return join([
    '# Codex Review',
    '',
    `Target: ${label}`,
    '',
    words.trim() || otherwise,
    ...stderr,
    ...renderReasoning({ reasoning }),
  ])
}

function renderReasoning({ reasoning }: Pick<SaidOfReview, 'reasoning'>): string[] {
  return reasoning.length === 0 ? [] : ['', 'Reasoning:', ...reasoning.map(text => `- ${text}`)]
}

const join = (lines: readonly string[]) => `${lines.join('\n').trimEnd()}\n`
