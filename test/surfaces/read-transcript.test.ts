import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { findTranscript, readTranscript } from '../../src/surfaces/rescue/read-transcript.ts'
import { scratchDirectory } from '../scratch.ts'

function write(lines: readonly unknown[], rest = ''): string {
  const path = join(scratchDirectory(), 'transcript.jsonl')
  writeFileSync(path, `${lines.map(line => JSON.stringify(line)).join('\n')}\n${rest}`)
  return path
}

const user = (content: unknown, more = {}) => ({ type: 'user', message: { content }, ...more })
const claude = (...content: unknown[]) => ({ type: 'assistant', message: { content } })

test('it is what the user and Claude have said, and what Claude has done', async () => {
  const path = write(
    [
      { type: 'queue-operation', content: 'not said' },
      user('fix the "login"'),
      claude(
        { type: 'thinking', thinking: 'not said' },
        { type: 'text', text: 'I look.\n' },
        { type: 'tool_use', name: 'Bash', input: { command: 'ls' } },
      ),
      user([{ type: 'tool_result', content: 'not said' }]),
      user('not said', { isMeta: true }),
      user('not said', { isSidechain: true }),
      user('<system-reminder>not said</system-reminder>'),
      null,
      claude({ type: 'text', text: 'Found.' }),
    ],
    '{"type":"user","mess',
  )
  expect((await readTranscript(path)).split('\n\n')).toEqual([
    'The user: fix the "login"',
    'Claude: I look.',
    '[Claude used Bash: {"command":"ls"}]',
    'Claude: Found.',
  ])
})

test('of a long one the end is kept, and it is said that there was more', async () => {
  const path = write([user('first'), ...Array.from({ length: 300 }, () => user('x'.repeat(1_000)))])
  const text = await readTranscript(path)
  expect(text.length).toBeLessThan(102_000)
  expect(text).toMatch(/^\(What came before is left out\.\)\n\nThe user: x/)
})

test.each([
  ['is not there', () => '/no/such/transcript', /cannot be read: ENOENT/],
  ['says nothing', () => write([]), /nothing is said in/],
])('one that %s is refused', async (_, path, why) => {
  await expect(readTranscript(path())).rejects.toThrow(why)
})

test('it is named from where its user stands, or from home', () => {
  const place = { directory: '/here', environment: { HOME: '/home' } }
  const found = ['~/x', './x', '/x'].map(named => findTranscript(named, place))
  expect(found).toEqual(['/home/x', '/here/x', '/x'])
})
