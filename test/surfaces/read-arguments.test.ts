import { expect, test } from 'vitest'
import { parseOwnLine } from '../../src/surfaces/hook/own-command.ts'
import { readArguments, soundsLikeGoingOn } from '../../src/surfaces/rescue/read-arguments.ts'

test.each([
  ['fix it', { text: 'fix it' }],
  ['', { text: '' }],
  ['  fix\n it  ', { text: 'fix\n it' }],
  ['--background fix it', { background: true, text: 'fix it' }],
  ['fix it --background', { background: true, text: 'fix it' }],
  ['--wait --model spark fix it', { background: false, model: 'spark', text: 'fix it' }],
  ['--model=gpt-5 --effort high\nfix it', { model: 'gpt-5', effort: 'high', text: 'fix it' }],
  ['fix it --effort=low --fresh\n', { effort: 'low', resume: false, text: 'fix it' }],
  ['--resume', { resume: true, text: '' }],
  [`--model "gpt 5" --effort='low' "fix" it`, { model: 'gpt 5', effort: 'low', text: '"fix" it' }],
  ['--model "a\rb\u2028c" fix it', { model: 'a\rb\u2028c', text: 'fix it' }],
  ['--agent claude --resume go on', { agent: 'claude', resume: true, text: 'go on' }],
  // In the middle it is prose, and so is what only looks like a flag.
  ['why does --background hang here?', { text: 'why does --background hang here?' }],
  ['document --background.', { text: 'document --background.' }],
  ['fix --wait="x"', { text: 'fix --wait="x"' }],
  // After the dashes all is text.
  ['-- --background is broken --wait', { text: '--background is broken --wait' }],
  ['--wait -- say "a  b" \\ $(x) `y`\n', { background: false, text: 'say "a  b" \\ $(x) `y`\n' }],
  ['say "a  b" \\ $(x) `y` $HOME', { text: 'say "a  b" \\ $(x) `y` $HOME' }],
])('rescue %j', (typed, read) => {
  expect(readArguments('rescue', typed)).toEqual(read)
})

test.each([
  ['rescue', '--background --wait x', /--wait contradicts/],
  ['rescue', '--resume x --fresh', /contradicts/],
  ['rescue', '--model a --model b x', /contradicts/],
  ['rescue', '--effort enormous x', /--effort is one of: none, minimal, low/],
  ['rescue', '--model', /--model needs a value/],
  ['rescue', '--base main x', /there is no flag --base here .*goes after --/],
  ['rescue', '-v is ignored', /there is no flag -v/],
  ['transfer', '--fresh', /there is no flag --fresh/],
  ['review', '--resume x', /there is no flag --resume/],
  ['review', '--scope all', /--scope is one of: auto, working-tree, branch/],
] as const)('%s %j is refused', (kind, typed, why) => {
  expect(readArguments(kind, typed)).toMatch(why)
})

test('a review takes its own flags, and a focus', () => {
  expect(readArguments('adversarial-review', '--base origin/main the locks --wait')).toEqual({
    base: 'origin/main',
    background: false,
    text: 'the locks',
  })
})

test.each(['continue', 'Keep going!', 'resume', 'apply the top fix', 'dig deeper there'])(
  '%j sounds like going on',
  text => {
    expect(soundsLikeGoingOn(text)).toBe(true)
    expect(soundsLikeGoingOn('fix the login')).toBe(false)
  },
)

const program = ['/usr/bin/node', "/home/a b's/bin/holdfast.cjs"]
const start = `/usr/bin/node '/home/a b'\\''s/bin/holdfast.cjs'`
const id = '0123456789abcdef01234567'

test('only the very line is ours', () => {
  const line = `${start} rescue --request ${id}`
  const own = { request: id, choice: null }
  expect(parseOwnLine(program, line)).toEqual(own)
  expect(parseOwnLine(program, `${line} --resume\n`)).toEqual({ ...own, choice: 'resume' })
  for (const other of [
    `${line}; rm -rf /`,
    `${line} && true`,
    `${line} $(touch x)`,
    `${line} --resume --fresh`,
    `${line}\ntouch x`,
    `cd /; ${line}`,
    `X=1 ${line}`,
    line.replace(id, `${id}0`),
    line.replace(id, id.slice(1)),
    line.replace('rescue', 'run'),
    line.replace('/usr/bin/node', 'node'),
    `${start}  rescue --request ${id}`,
    '',
  ]) {
    expect([other, parseOwnLine(program, other)]).toEqual([other, undefined])
  }
})
