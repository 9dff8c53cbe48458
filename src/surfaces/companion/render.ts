/** Jobs as text: lists of them, one of them, and its end. */
import type { Job, JobEntry } from './job.ts'
import type { StatusReport } from './status.ts'

export function renderStatusReport(report: StatusReport): string {
  const { running, latestFinished, recent, config, sessionRuntime } = report
  const lines = [
    '# Codex Status',
    '',
    `Session runtime: ${sessionRuntime.label}`,
    `Review gate: ${config.stopReviewGate ? 'enabled' : 'disabled'}`,
    '',
  ]
  if (running.length > 0) {
    lines.push('Active jobs:', ...renderTable(running), '', 'Live details:')
    lines.push(...running.flatMap(job => renderDetails(job, { log: true })), '')
  }
  if (latestFinished !== null) {
    lines.push('Latest finished:', ...renderFinished(latestFinished), '')
  }
  if (recent.length > 0) lines.push('Recent jobs:', ...recent.flatMap(renderFinished), '')
  if (running.length === 0 && latestFinished === null) lines.push('No jobs recorded yet.', '')
  if (report.needsReview) {
    lines.push('The stop-time review gate is enabled.')
    lines.push(
      'Ending the session will trigger a fresh Codex review, and block if it finds issues.',
    )
  }
  return join(lines)
}

export function renderJobReport(job: Job): string {
  return join(['# Codex Job Status', '', ...renderDetails(job, { log: true, hints: true })])
}

/** `rendered`: its result, which ends with a newline. */
export function renderResult(
  { threadId }: JobEntry,
  rendered: string,
  apply: string | null,
): string {
  const session =
    threadId === null
      ? []
      : [`Codex session ID: ${threadId}`, `Resume in Codex: ${resumeCommand(threadId)}`]
  const changes = apply === null ? [] : [`Take its changes: ${apply}`]
  const lines = [...session, ...changes]
  return lines.length === 0 ? rendered : `${rendered}\n${lines.join('\n')}\n`
}

export function renderCancelled({ id, title, summary }: JobEntry): string {
  return join([
    '# Codex Cancel',
    '',
    `Cancelled ${id}.`,
    '',
    `- Title: ${title}`,
    `- Summary: ${summary}`,
    '- Check `/codex:status` for the updated queue.',
  ])
}

const resumeCommand = (threadId: string) => `codex resume ${threadId}`

const COLUMNS = [
  'Job',
  'Kind',
  'Status',
  'Phase',
  'Elapsed',
  'Codex Session ID',
  'Summary',
  'Actions',
] as const

function renderTable(jobs: readonly Job[]): readonly string[] {
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [
    row(COLUMNS),
    row(COLUMNS.map(() => '---')),
    ...jobs.map(({ id, kindLabel, status, phase, elapsed, threadId, summary }) => {
      const cells = [id, kindLabel, status, phase, elapsed ?? '', threadId ?? '', summary]
      const actions = `\`/codex:status ${id}\`<br>\`/codex:cancel ${id}\``
      return row([...cells.map(escapeCell), actions])
    }),
  ]
}

const escapeCell = (text: string) =>
  text
    .replaceAll('|', '\\|')
    .replace(/\s*\r?\n\s*/g, ' ')
    .trim()

const renderFinished = (job: Job) => renderDetails(job, { log: job.status === 'failed' })

function renderDetails(
  job: Job,
  shown: { readonly log: boolean; readonly hints?: true },
): readonly string[] {
  const { id, status, kindLabel, title, threadId, progressPreview } = job
  const isActive = status === 'queued' || status === 'running'
  const rows: readonly (readonly [string, string | null])[] = [
    ['Summary', job.summary],
    ['Phase', job.phase],
    ['Elapsed', isActive ? job.elapsed : null],
    ['Duration', isActive ? null : job.duration],
    ['Codex session ID', threadId],
    ['Resume in Codex', threadId === null ? null : resumeCommand(threadId)],
    ['Log', shown.log ? job.logFile : null],
    ['Error', status === 'failed' ? job.errorMessage : null],
    ['Cancel', shown.hints && isActive ? `/codex:cancel ${id}` : null],
    ['Result', shown.hints && !isActive ? `/codex:result ${id}` : null],
    ['Take its changes', isActive ? null : job.apply],
  ]
  return [
    `- ${[id, status, kindLabel, title].join(' | ')}`,
    ...rows.flatMap(([name, value]) => (value ? [`  ${name}: ${value}`] : [])),
    ...(shown.hints && !isActive && job.jobClass === 'task' && job.write ? REVIEW_HINTS : []),
    ...(progressPreview.length === 0 ? [] : ['  Progress:']),
    ...progressPreview.map(line => `    ${line}`),
  ]
}

const REVIEW_HINTS = [
  '  Review changes: /codex:review --wait',
  '  Stricter review: /codex:adversarial-review --wait',
]

const join = (lines: readonly string[]) => `${lines.join('\n').trimEnd()}\n`
