/** Recorded streams of an agent, through its `translate` and `judge`, against golden files. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { AgentEvent } from '../../src/domain/agent-events.ts'
import type { AgentExit } from '../../src/domain/outcome.ts'
import type { Agent, AgentEnding, Translation, Translator } from '../../src/ports/agent.ts'

export const exited = (code: number): AgentExit => ({ kind: 'exited', code })
export const killed: AgentExit = { kind: 'signalled', signal: 9 }

/** When the recordings were made, in the zone that they were made in. */
export const endingOf = (exit: AgentExit, stderr = ''): AgentEnding => ({
  exit,
  stderr,
  saidAt: Date.parse('2026-11-21T07:46:00Z'),
  timeZone: 'UTC',
})

export function translateAll(
  translator: Translator,
  lines: readonly string[],
): { state: Translation; events: AgentEvent[] } {
  let state = translator.initial
  const events: AgentEvent[] = []
  for (const line of lines) {
    const translated = translator.translate(state, line)
    state = translated.state
    events.push(...translated.events)
  }
  return { state, events }
}

/** How each recording's process ended, by the name of its file. */
export type Recorded = Readonly<Record<string, { exit: AgentExit; stderr?: string }>>

/** One test a recording. `update` (`vitest -u`) writes the golden files: read them before they are kept. */
export function testRecorded(
  { translator, judge }: Pick<Agent, 'translator' | 'judge'>,
  directory: string,
  recorded: Recorded,
): void {
  for (const [name, { exit, stderr = '' }] of Object.entries(recorded)) {
    it(`${name} gives its golden events and outcome`, async () => {
      const text = readFileSync(join(directory, `${name}.jsonl`), 'utf8')
      const { state, events } = translateAll(translator, text.split('\n'))
      const golden = [...events, { state }, { outcome: judge(state, endingOf(exit, stderr)) }]
      await expect(`${golden.map(part => JSON.stringify(part)).join('\n')}\n`).toMatchFileSnapshot(
        join(directory, `${name}.golden.jsonl`),
      )
    })
  }
}
