import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { agentEnvironment } from '../../domain/environment.ts'
import { messageOf } from '../../domain/errors.ts'
import type { SessionId } from '../../domain/ids.ts'
import type { Task } from '../../domain/task.ts'
import { planSession, worktreeEnd } from '../../engine/move-session.ts'
import type { CommandContext } from '../cli/command.ts'
import { isTerminal } from '../terminal.ts'
import type { Arguments } from './arguments.ts'
import { sessionOf } from './caller-session.ts'
import { readEffort, readModel } from './choices.ts'
import { findResumable, isOver, listThreads, STOP_GATE_TITLE } from './find-jobs.ts'
import { shorten } from './shorten.ts'
import { startJob } from './start-job.ts'
import { Refusal, type Subcommand } from './subcommand.ts'

/** What a thread is told that is continued without a word. */
const CONTINUE =
  'Continue from where you stopped: pick the next step, and follow it through to the end.'
/** In the prompt of the plugin's review before a session stops. */
const STOP_GATE = 'Run a stop-gate review of the previous Claude turn.'
const NO_PROMPT = 'Provide a prompt, a prompt file, piped stdin, or use --resume-last.'

export const task: Subcommand = {
  grammar: {
    values: ['model', 'effort', 'prompt-file', 'task'],
    switches: ['write', 'background', 'wait', 'resume-last', 'resume', 'fresh'],
    takesText: true,
  },
  async run({ values, switches, text }, context) {
    const resumes = switches.has('resume-last') || switches.has('resume')
    if (resumes && switches.has('fresh')) {
      throw new Refusal('Choose either --resume/--resume-last or --fresh.')
    }
    if (switches.has('background') && switches.has('wait')) {
      throw new Refusal('Choose either --background or --wait.')
    }
    const model = readModel(values.model)
    const effort = readEffort(values.effort)
    const given = await readPrompt({ values, text }, context)
    if (given.trim() === '' && !resumes) throw new Refusal(NO_PROMPT)
    const prompt = given.trim() === '' ? CONTINUE : given
    const companion = {
      kind: 'task',
      title: titleOf(prompt, resumes),
      summary: prompt.includes(STOP_GATE)
        ? 'Stop-gate review of previous Claude turn'
        : shorten(prompt),
      write: switches.has('write'),
    } as const
    const session = resumes ? await requireThread(context) : null
    return await startJob(
      { companion, prompt, model, effort, session },
      { json: switches.has('json'), background: switches.has('background') },
      context,
    )
  },
}

function titleOf(prompt: string, resumes: boolean): string {
  if (resumes) return 'Codex Resume'
  return prompt.includes(STOP_GATE) ? STOP_GATE_TITLE : 'Codex Task'
}

/** A file before words, and words before stdin. */
async function readPrompt(
  { values, text }: Pick<Arguments, 'values' | 'text'>,
  { directory, stdin }: CommandContext,
): Promise<string> {
  const file = values['prompt-file']
  if (file !== undefined) {
    try {
      return decode(await readFile(resolve(directory, file)), file)
    } catch (error) {
      if (error instanceof Refusal) throw error
      throw new Refusal(`The prompt file cannot be read: ${messageOf(error)}`)
    }
  }
  if (values.task !== undefined && text !== '') {
    throw new Refusal('Give the prompt either by --task or as words, not both.')
  }
  const words = values.task ?? text
  if (words.trim() !== '' || isTerminal(0)) return words
  const chunks: Buffer[] = []
  for await (const chunk of stdin) chunks.push(chunk as Buffer)
  return decode(Buffer.concat(chunks), 'stdin')
}

/** Nothing is replaced in silence. */
function decode(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new Refusal(`The prompt from ${where} is no UTF-8.`)
  }
}

/** The thread of the newest job of this session that is over; else of this repository. */
async function requireThread(context: CommandContext): Promise<SessionId> {
  const threads = await listThreads(context)
  const active = threads.find(job => !isOver(job))
  if (active !== undefined) {
    const { id } = active.request
    throw new Refusal(`Task ${id} is still running. Use /codex:status before continuing it.`)
  }
  const job = findResumable(threads)
  if (job?.session == null) {
    const whose = sessionOf(context.caller) === null ? 'repository' : 'session'
    throw new Refusal(`No previous Codex task thread was found for this ${whose}.`)
  }
  await fetchThread(job, context)
  return job.session
}

/** In the home of a worktree that it had for itself, nobody else would find it. */
async function fetchThread(
  job: Task,
  { holdfast, environment, directory }: CommandContext,
): Promise<void> {
  const ports = {
    store: await holdfast.store(),
    files: await holdfast.files(),
    agent: holdfast.agent,
  }
  const ends = { from: await worktreeEnd(job, ports), to: { root: directory, worktree: null } }
  const fate = await planSession(job, ends, agentEnvironment(environment), ports)
  if (fate.kind === 'stays') {
    throw new Refusal(`The thread ${fate.session} cannot go on here: ${fate.why}`)
  }
  if (fate.kind === 'moves') await fate.carry()
}
