import { expect, it } from 'vitest'
import { type Grammar, parseArguments } from '../../../src/surfaces/companion/arguments.ts'

const text: Grammar = {
  values: ['model', 'base'],
  switches: ['write', 'background'],
  takesText: true,
}
const none: Grammar = { ...text, takesText: false }

function read(grammar: Grammar, ...argv: string[]) {
  const { values, switches, text: rest, words } = parseArguments(argv, grammar)
  return [...Object.values(values), ...switches, ...(grammar.takesText ? [rest] : words)]
}

it.each([
  // Everything in one argument: flags up to the first word that is none.
  ['fix it', ['fix it']],
  ['  fix\tit \n', ['  fix\tit \n']],
  [' ', ['']],
  ['--write fix the --model flag', ['write', 'fix the --model flag']],
  [
    '--background  --model spark  say "a\\b" \'c\' \n',
    ['spark', 'background', 'say "a\\b" \'c\' \n'],
  ],
  ['--model="spark" go', ['"spark"', 'go']],
  ['--model "my model" go', ['my model', 'go']],
  ['-m spark -C /x --json go', ['spark', '/x', 'json', 'go']],
  ['fix it --write', ['fix it --write']],
  ['"--write" is a flag', ['"--write" is a flag']],
  ['--unknown --write', ['--unknown --write']],
  ['--writes less', ['--writes less']],
  ['--write -- --background is text', ['write', '--background is text']],
  ['--write=false go', ['go']],
  ['--write', ['write', '']],
  ['$(touch x) `y` \\"z', ['$(touch x) `y` \\"z']],
])('a lone argument %j is read as %j', (argument, expected) => {
  expect(read(text, argument)).toEqual(expected)
})

it.each([
  [
    ['--write', 'fix it'],
    ['write', 'fix it'],
  ],
  [
    ['fix it', '--write'],
    ['write', 'fix it'],
  ],
  [['fix', 'the', '--model', 'flag', 'now'], ['fix the --model flag now']],
  [
    ['explain --write to me', '--background'],
    ['background', 'explain --write to me'],
  ],
  [
    ['fix', 'it', '--model', 'spark', '--write'],
    ['spark', 'write', 'fix it'],
  ],
  [['fix', 'it', '--model'], ['fix it --model']],
  [
    ['--unknown', 'x', '--write'],
    ['write', '--unknown x'],
  ],
  [
    ['--write', '--', 'x', '--background'],
    ['write', 'x --background'],
  ],
  [['fix', '--', '-x', '--', '--write'], ['fix -x -- --write']],
  [
    ['--base=a=b', '--write'],
    ['a=b', 'write', ''],
  ],
  [['-', 'x'], ['- x']],
  [[], ['']],
])('several arguments %j are read as %j', (argv, expected) => {
  expect(read(text, ...argv)).toEqual(expected)
})

it('splits a lone argument of what takes no text, quotes around a word aside', () => {
  expect(read(none, 'abc --json')).toEqual(['json', 'abc'])
  expect(read(none, '--cwd "/a b" abc')).toEqual(['/a b', 'abc'])
  expect(read(none, '')).toEqual([])
})

it('names a flag that lacks its value', () => {
  expect(() => read(text, '--model')).toThrow('Missing value for --model')
  expect(() => read(text, '--write', '-m')).toThrow('Missing value for -m')
})
