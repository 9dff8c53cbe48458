/** Runs a real agent as Holdfast would, but as a plain child: only the adapter is under test. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { AgentEvent } from '../../src/domain/agent-events.ts'
import type { Message } from '../../src/domain/message.ts'
import type { AgentExit, AttemptOutcome } from '../../src/domain/outcome.ts'
import { findOpen, type Question } from '../../src/domain/question.ts'
import type { Agent, AgentLaunch, Translation } from '../../src/ports/agent.ts'

export interface AgentRun {
  readonly child: ChildProcess
  /** What was understood so far; grows while it runs. */
  readonly events: readonly AgentEvent[]
  /** What it has written to stdout so far, line by line. */
  readonly lines: readonly string[]
  /** What it has written there so far. */
  stderr(): string
  readonly ended: Promise<AgentEnd>
  /** The rest is of agents that are talked to. */
  state(): Translation
  send(text: string): void
  questions(): readonly Question[]
  answer(question: string, words: string): void
  interrupt(): void
  /** Ends its stdin. */
  end(): void
}

export interface AgentEnd {
  readonly exit: AgentExit
  readonly outcome: AttemptOutcome
  readonly translation: Translation
  readonly events: readonly AgentEvent[]
  readonly stderr: string
}

export const SIGNALS: Readonly<Record<string, number>> = { SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }

/**
 * `enclosure`: what stands in front of its argv. One that is talked to (its launch has a brief) is told
 * what its dialogue says, and is at the end of its stdin once its turn is over and all is heard;
 * `stays`: not before `end`.
 */
export function startAgent(
  { translator, judge, dialogue }: Agent,
  launch: AgentLaunch,
  directory: string,
  enclosure: readonly string[] = [],
  stays = false,
): AgentRun {
  const [program = '', ...args] = [...enclosure, ...launch.argv]
  const child = spawn(program, args, { cwd: directory, env: launch.environment })
  const events: AgentEvent[] = []
  const lines: string[] = []
  let translation = translator.initial
  let rest = ''
  let stderr = ''
  const said = new Set<string>()
  const messages: Message[] = []
  const answers = new Map<string, string>()
  let interrupt = false
  let saidAt = Date.now()
  const speak = () => {
    if (dialogue === undefined || launch.brief === undefined || child.stdin.writableEnded) return
    const unheard = messages.filter(({ number }) => !translation.heard?.includes(number))
    const wishes = { messages: unheard, answers, interrupt }
    for (const one of dialogue.speak(translation, launch.brief, said, wishes)) {
      said.add(one.key)
      events.push(...(one.events ?? []))
      child.stdin.write(`${one.line}\n`)
    }
    const { turn } = translation
    const isOver = turn?.ok === true && unheard.length === 0 && !dialogue.goesOn?.(translation)
    if (!stays && (isOver || turn?.ok === false)) child.stdin.end()
  }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    saidAt = Date.now()
    const whole = (rest + text).split('\n')
    rest = whole.pop() ?? ''
    lines.push(...whole)
    for (const line of whole) {
      const translated = translator.translate(translation, line)
      translation = translated.state
      events.push(...translated.events)
    }
    speak()
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  child.stdin.on('error', () => undefined) // It may end without reading.
  if (launch.brief === undefined) child.stdin.end(launch.stdin)
  else speak()

  const exited = once(child, 'exit')
  const closed = once(child, 'close')
  const ended = exited.then(async ([code, signal]: (number | string | null)[]) => {
    // Of one that was killed, a tool may live on and hold stdout open.
    if (signal === null) await closed
    const exit: AgentExit =
      typeof code === 'number'
        ? { kind: 'exited', code }
        : { kind: 'signalled', signal: SIGNALS[String(signal)] ?? 0 }
    return {
      exit,
      outcome: judge(translation, { exit, stderr, saidAt, timeZone: 'UTC' }),
      translation,
      events,
      stderr,
    }
  })
  return {
    child,
    events,
    lines,
    stderr: () => stderr,
    ended,
    state: () => translation,
    send(text) {
      const number = messages.length + 1
      messages.push({ number, text, sentAt: number, launchedWith: null, heardAt: null })
      speak()
    },
    questions: () => findOpen(translation.questions ?? [], said),
    answer(question, words) {
      answers.set(question, words)
      speak()
    },
    interrupt() {
      interrupt = true
      speak()
    },
    end: () => child.stdin.end(),
  }
}
