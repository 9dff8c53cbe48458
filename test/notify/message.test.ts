import { expect, test } from 'vitest'
import { makeMessage, textOf } from '../../src/notify/message.ts'
import { allIdle, notice } from './notices.ts'

test('one notice, several, and more than anybody reads', () => {
  expect(textOf(makeMessage([notice()]))).toBe(
    'Holdfast: fix-login succeeded\n' +
      'fix-login succeeded (codex in app), 3 files +10 -2: holdfast result k3v9m2x7qd',
  )
  const failed = notice({ name: 'b', files: 1, insertions: null }, { event: 'failed' })
  const asks = notice({ files: null }, { event: 'needs_input' })
  expect(makeMessage([notice(), failed, notice(), asks, allIdle])).toEqual({
    title: 'Holdfast: 2 succeeded, 1 failed, 1 needs an answer, nothing is under way any more',
    lines: [
      'fix-login succeeded (codex in app), 3 files +10 -2: holdfast result k3v9m2x7qd',
      'b failed (codex in app), 1 file: holdfast result k3v9m2x7qd',
      'fix-login succeeded (codex in app), 3 files +10 -2: holdfast result k3v9m2x7qd',
      'fix-login needs an answer (codex in app): holdfast result k3v9m2x7qd',
      'nothing is under way any more: holdfast status',
    ],
  })
  expect(makeMessage([allIdle]).title).toBe('Holdfast: nothing is under way any more')

  const { lines } = makeMessage(Array.from({ length: 40 }, () => notice()))
  expect(lines).toHaveLength(10)
  expect(lines.at(-1)).toBe('and 31 more: holdfast inbox')
})

test('no name commands a terminal, begins a line, turns the writing, tells a secret or is endless', () => {
  const hostile = notice({
    name: '\u001b[31mred\u001b]0;title\u0007\n--urgency=critical\u202e\u200b\ud800',
    agent: `ghp_${'a'.repeat(36)}`,
    repository: `/tmp/${'ü'.repeat(5_000)}`,
  })
  const { title, lines } = makeMessage([hostile])
  expect(title).toBe('Holdfast: red --urgency=critical\ufffd succeeded')
  expect(lines).toHaveLength(1)
  expect(lines[0]).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u)
  expect(lines[0]).toContain('([redacted] in üüü')
  expect(lines[0]?.length).toBeLessThan(400)
  expect(makeMessage([notice({ repository: '/' })]).lines[0]).toContain('(codex in /)')
})
