import { expect, test } from 'vitest'
import { splitCommand } from '../../src/domain/command-words.ts'

test.each([
  ['npm test', ['npm', 'test']],
  ['  npm\t run   lint ', ['npm', 'run', 'lint']],
  [`sh -c 'a && b | c > $HOME'`, ['sh', '-c', 'a && b | c > $HOME']],
  [`p "two words" 'it''s' ""`, ['p', 'two words', 'its', '']],
  [String.raw`p "a \"b\" \\ \n" c\ d \$x`, ['p', String.raw`a "b" \ \n`, 'c d', '$x']],
  ['make -j4 --flag=a:b,c @x %y +z ^w', ['make', '-j4', '--flag=a:b,c', '@x', '%y', '+z', '^w']],
  ['["npm", "test", "a b", "$(x)"]', ['npm', 'test', 'a b', '$(x)']],
  ['./prüfe ü', ['./prüfe', 'ü']],
])('%s is words, and no shell', (text, argv) => {
  expect(splitCommand(text)).toEqual({ argv })
})

test.each([
  ['npm test && rm x', '& means something to a shell'],
  ['npm test | tee log', '| means'],
  ['echo $HOME', '$ means'],
  ['echo `id`', '` means'],
  ['a; b', '; means'],
  ['a\nb', 'a line end means'],
  ['ls *.ts', '* means'],
  ['ls ~/x', '~ means'],
  ["echo 'open", "' has no end"],
  ['echo "open', '" has no end'],
  ['echo \\', 'ends with a backslash'],
  ['', 'names no program'],
  ['   ', 'names no program'],
  ['"" x', 'names no program'],
  ['["a", 1]', 'is none'],
  ['[]', 'names no program'],
  ['["a", "b\\u0000"]', 'zero byte'],
])('%j is refused, and says why', (text, problem) => {
  expect(splitCommand(text)).toEqual({ problem: expect.stringContaining(problem) })
})
