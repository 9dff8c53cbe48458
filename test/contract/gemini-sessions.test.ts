/** What is done to Gemini's own files of a session before it is taken up. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { makeAcpAgent } from '../../src/agents/acp/agent.ts'
import { presets } from '../../src/agents/acp/presets.ts'
import { asSessionId } from '../../src/domain/ids.ts'
import { scratchDirectory } from '../scratch.ts'

const SESSION = asSessionId('a1dbe8ed-c5f3-4f22-9037-0b6f8112c4ad')
const NOW = Date.UTC(2026, 10, 29, 7, 8, 47)
const { keepSession } = makeAcpAgent(presets.gemini)

let home: string
let chats: string
beforeEach(() => {
  home = scratchDirectory()
  chats = join(home, '.gemini', 'tmp', 'worktree-1', 'chats')
  mkdirSync(chats, { recursive: true })
})

const keep = (now = NOW) => keepSession?.(SESSION, { HOME: home }, now)
const put = (name: string) => writeFileSync(join(chats, name), name)
const files = () =>
  Object.fromEntries(
    readdirSync(chats).map(name => [name, readFileSync(join(chats, name), 'utf8')]),
  )

test('a session of this minute is given an earlier one, and no other is touched', async () => {
  const others = [
    'session-2026-11-29T07-08-bbebb429.jsonl',
    'session-2026-11-29T07-07-a1dbe8ee.jsonl',
    'logs.json',
  ]
  for (const name of ['session-2026-11-29T07-08-a1dbe8ed.jsonl', ...others]) put(name)
  await keep()
  expect(files()).toEqual({
    'session-2026-11-29T07-07-a1dbe8ed.jsonl': 'session-2026-11-29T07-08-a1dbe8ed.jsonl',
    ...Object.fromEntries(others.map(name => [name, name])),
  })
})

test('what an earlier load left is never replaced', async () => {
  put('session-2026-11-29T07-07-a1dbe8ed.jsonl')
  put('session-2026-11-29T07-08-a1dbe8ed.jsonl')
  await keep()
  expect(files()).toEqual({
    'session-2026-11-29T07-06-a1dbe8ed.jsonl': 'session-2026-11-29T07-08-a1dbe8ed.jsonl',
    'session-2026-11-29T07-07-a1dbe8ed.jsonl': 'session-2026-11-29T07-07-a1dbe8ed.jsonl',
  })
})

test('a session of an earlier minute stays as it is, one of a clock that was set back does not', async () => {
  put('session-2026-11-29T07-07-a1dbe8ed.jsonl')
  await keep()
  expect(Object.keys(files())).toEqual(['session-2026-11-29T07-07-a1dbe8ed.jsonl'])
  await keep(NOW - 3_600_000)
  expect(Object.keys(files())).toEqual(['session-2026-11-29T06-07-a1dbe8ed.jsonl'])
})

test('where Gemini has no sessions, nothing is done', async () => {
  await keepSession?.(SESSION, { HOME: scratchDirectory() }, NOW)
})
